// Conversations of the official clients with the server of clients_test.go. The arguments are a mode and an address. It
// prints a line of JSON for each conversation: its name, and the error, if any.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import ioOfVersion2 from "socket.io-client-2";

const [mode, address] = process.argv.slice(2);
const patience = 30_000;

function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing came`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// next is a promise of the arguments of the next such event.
const next = (socket, event) => within(event, new Promise((resolve) => socket.once(event, (...args) => resolve(args))));

function opener(transports) {
  const opened = [];
  return {
    open: (namespace = "/", options = {}) => {
      const socket = io(address + namespace, { transports, forceNew: true, reconnection: false, ...options });
      opened.push(socket);
      return socket;
    },
    close: () => opened.forEach((socket) => socket.disconnect()),
  };
}

const conversations = {
  async echo({ open }) {
    const socket = open();
    await next(socket, "connect");
    const args = [1, "2", { 3: [true, null, 1.5] }, "é \u2028 \u{1F600} \\ \"", "", []];
    socket.emit("message", ...args);
    assert.deepEqual(await next(socket, "message-back"), args);
  },

  async binary({ open }) {
    const socket = open();
    await next(socket, "connect");
    const data = Uint8Array.from({ length: 70_000 }, (_, i) => i);
    socket.emit("message", "before", { nested: [data] }, Buffer.from([4, 5, 6]), Buffer.alloc(0));
    const [before, object, buffer, empty] = await next(socket, "message-back");
    assert.equal(before, "before");
    assert.deepEqual(Uint8Array.from(object.nested[0]), data);
    assert.deepEqual([...buffer], [4, 5, 6]);
    assert.equal(empty.length, 0);
    const answer = await within("ack", socket.emitWithAck("message-with-ack", Buffer.from([7])));
    assert.deepEqual([...answer], [7]);
  },

  async "large messages"({ open }) {
    const socket = open();
    await next(socket, "connect");
    const text = "0123456789".repeat(90_000);
    assert.equal(await within("ack", socket.emitWithAck("message-with-ack", text)), text);
  },

  async acks({ open }) {
    const socket = open();
    await next(socket, "connect");
    const answers = await Promise.all([1, 2, 3].map((i) => within("ack", socket.emitWithAck("message-with-ack", i))));
    assert.deepEqual(answers, [1, 2, 3]);
  },

  async "acks that do not come"({ open }) {
    const socket = open();
    await next(socket, "connect");
    await assert.rejects(socket.timeout(50).emitWithAck("without a handler"), /timed out/);
  },

  async auth({ open }) {
    const socket = open("/", { auth: { token: "abc" }, query: { room: "a b" } });
    const [auth, room] = await next(socket, "auth");
    assert.deepEqual(auth, { token: "abc" });
    assert.equal(room, "a b");
    const [first] = await next(open("/"), "auth");
    assert.deepEqual(first, {});
  },

  async refusal({ open }) {
    const [unknown] = await next(open("/nowhere"), "connect_error");
    assert.equal(unknown.message, "Invalid namespace");
  },

  async namespaces({ open }) {
    const main = open();
    await next(main, "connect");
    const other = main.io.socket("/other", { auth: { token: "right" } });
    assert.deepEqual(await next(other, "auth"), [{ token: "right" }]);
    assert.notEqual(other.id, main.id);
    other.disconnect();
    assert.equal(await within("ack", main.emitWithAck("message-with-ack", "still here")), "still here");
    other.connect();
    await next(other, "connect");
  },

  async rooms({ open }) {
    const [a, b, c] = [open(), open(), open()];
    await Promise.all([a, b, c].map((socket) => next(socket, "connect")));
    const room = `room of ${a.id}`;
    await within("ack", a.emitWithAck("join", room));
    await within("ack", b.emitWithAck("join", room));
    c.on("news", () => assert.fail("news for others"));
    a.on("news", () => assert.fail("one's own news"));
    const heard = next(b, "news");
    a.emit("to others", room, "hello");
    assert.deepEqual(await heard, ["hello"]);
    await within("ack", c.emitWithAck("message-with-ack"));
  },

  async order({ open }) {
    // Where the transport is upgraded, that happens while these are under way.
    const socket = open();
    const got = [];
    const all = within("all messages", new Promise((resolve) => {
      socket.on("message-back", (n) => got.push(n) === 2000 && resolve());
    }));
    await next(socket, "connect");
    for (let i = 0; i < 2000; i++) {
      socket.emit("message", i);
      if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await all;
    assert.deepEqual(got, got.map((_, i) => i));
  },

  async "disconnect by the server"({ open }) {
    const socket = open("/", { reconnection: true, reconnectionDelay: 1 });
    await next(socket, "connect");
    socket.emit("disconnect me");
    assert.deepEqual((await next(socket, "disconnect"))[0], "io server disconnect");
  },

  async "malformed packet"({ open }) {
    const [socket, bystander] = [open(), open()];
    await Promise.all([next(socket, "connect"), next(bystander, "connect")]);
    socket.io.engine.write("2{}");
    assert.match((await next(socket, "disconnect"))[0], /transport (close|error)/);
    assert.equal(await within("ack", bystander.emitWithAck("message-with-ack", 1)), 1);
  },
};

const withRecovery = {
  async recovery({ open }) {
    const socket = open("/", { reconnection: true, reconnectionDelay: 300, reconnectionDelayMax: 300 });
    await next(socket, "connect");
    assert.equal(socket.recovered, false);
    const id = socket.id;
    const room = `room of ${id}`;
    await within("ack", socket.emitWithAck("join", room));
    const news = [];
    socket.on("news", (text) => news.push(text));
    socket.emit("to all", room, "before");
    await next(socket, "sent");
    const other = open();
    await next(other, "connect");
    const lost = next(socket, "disconnect");
    const back = next(socket, "connect");
    socket.io.engine.close();
    await lost;
    // The server keeps events for a client only once it has noticed that the client is gone.
    while (await within("ack", other.emitWithAck("is there", id))) {}
    other.emit("to all", room, "missed 1");
    other.emit("to all", room, "missed 2");
    await back;
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
    socket.emit("to all", room, "after");
    await next(socket, "sent");
    assert.deepEqual(news, ["before", "missed 1", "missed 2", "after"]);
    // A client that left on purpose is a new one.
    socket.disconnect().connect();
    await next(socket, "connect");
    assert.equal(socket.recovered, false);
    assert.notEqual(socket.id, id);
  },
};

const version2 = {
  async echo({ open }) {
    const socket = open("/");
    await next(socket, "connect");
    socket.emit("message", 1, { a: [Buffer.from([1, 2, 3])] }, "é");
    const [one, object, text] = await next(socket, "message-back");
    assert.equal(one, 1);
    assert.deepEqual([...object.a[0]], [1, 2, 3]);
    assert.equal(text, "é");
  },

  async acks({ open }) {
    const socket = open("/");
    await next(socket, "connect");
    const answer = await within("ack", new Promise((resolve) => socket.emit("message-with-ack", "x", resolve)));
    assert.equal(answer, "x");
  },

  async namespaces({ open }) {
    assert.deepEqual(await next(open("/other?token=right"), "auth"), [{ token: "right" }]);
    assert.deepEqual(await next(open("/nowhere"), "error"), ["Invalid namespace"]);
  },

  async "disconnect by the server"({ open }) {
    const socket = open("/");
    await next(socket, "connect");
    socket.emit("disconnect me");
    assert.deepEqual(await next(socket, "disconnect"), ["io server disconnect"]);
  },
};

function openerOfVersion2(transports) {
  const opened = [];
  return {
    open: (namespace) => {
      const socket = ioOfVersion2(address + namespace, { transports, forceNew: true, reconnection: false });
      opened.push(socket);
      return socket;
    },
    close: () => opened.forEach((socket) => socket.close()),
  };
}

async function converse(name, conversation, client) {
  let error = "";
  try {
    await conversation(client);
  } catch (e) {
    error = e.stack;
  }
  client.close();
  console.log(JSON.stringify({ name, error }));
}

const ways = { websocket: ["websocket"], polling: ["polling"], upgrade: ["polling", "websocket"] };

const modes = {
  async version4() {
    for (const [way, transports] of Object.entries(ways)) {
      for (const [name, conversation] of Object.entries(conversations)) {
        await converse(`${way}/${name}`, conversation, opener(transports));
      }
    }
    await converse("upgrade/takes place", async ({ open }) => {
      const socket = open();
      await next(socket, "connect");
      if (socket.io.engine.transport.name !== "websocket") await within("upgrade", once(socket.io.engine, "upgrade"));
      assert.equal(socket.io.engine.transport.name, "websocket");
      assert.equal(await within("ack", socket.emitWithAck("message-with-ack", 1)), 1);
    }, opener(ways.upgrade));
  },

  async recovery() {
    for (const [way, transports] of Object.entries(ways)) {
      for (const [name, conversation] of Object.entries(withRecovery)) {
        await converse(`${way}/${name}`, conversation, opener(transports));
      }
    }
  },

  async version2() {
    for (const [way, transports] of Object.entries(ways)) {
      for (const [name, conversation] of Object.entries(version2)) {
        await converse(`${way}/${name}`, conversation, openerOfVersion2(transports));
      }
    }
  },

  async refused() {
    for (const [way, transports] of Object.entries(ways)) {
      await converse(way, async ({ open }) => {
        const socket = open("/");
        socket.on("connect", () => assert.fail("let in"));
        await next(socket, "connect_error");
      }, openerOfVersion2(transports));
    }
  },

  // restart says when it is connected; the test then starts a new server, which this connects to.
  async restart() {
    const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    for (const [way, transports] of Object.entries(ways)) {
      await converse(way, async ({ open }) => {
        const socket = open("/", { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 });
        await next(socket, "connect");
        const [lost, back] = [next(socket, "disconnect"), next(socket, "connect")];
        console.log(JSON.stringify({ connected: way }));
        await within("the server's restart", lines.next());
        assert.match((await lost)[0], /transport (close|error)/);
        await back;
        assert.equal(socket.recovered, false);
        assert.equal(await within("ack", socket.emitWithAck("message-with-ack", 1)), 1);
      }, opener(transports));
    }
    process.stdin.destroy();
  },
};

await modes[mode]();
process.exit(0);
