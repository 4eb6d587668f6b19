// What a client does, case by case. A case notes what it sees; the notes of two clients are compared. It may also assert.
import assert from "node:assert/strict";

// quick makes a client come back at once, at the same delay each time.
export const quick = { reconnection: true, reconnectionDelay: 5, reconnectionDelayMax: 5, randomizationFactor: 0 };

const bytes = (...list) => Uint8Array.from(list);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// cut ends the connections of a socket until it notices: between two polls it has none.
async function cut(relay, socket) {
  while (socket.connected) {
    await relay.cut();
    await sleep(2);
  }
}

// cases are run over each transport and against each server.
export const cases = {
  async "connect"({ open, next, note }) {
    const socket = open();
    note(socket.connected, socket.disconnected, socket.active, socket.id, socket.nsp);
    await next(socket, "connect");
    note(socket.connected, socket.disconnected, socket.active, Boolean(socket.recovered), typeof socket.id);
  },

  async "connect waits for open"({ open, next, note }) {
    const socket = open("/", { autoConnect: false });
    note(socket.active, socket.connected);
    socket.on("connect", () => note("connect"));
    note(socket.open() === socket, socket.active);
    await next(socket, "auth");
  },

  async "manager opens"({ Manager, address, transports, keep, note, within }) {
    const manager = keep(new Manager(address, { autoConnect: false, transports }));
    for (const event of ["open", "error", "close"]) manager.on(event, (...args) => note(event, args.length));
    note(await within("open", new Promise((resolve) => manager.open(resolve))));
    const socket = manager.socket("/", {});
    note(manager.socket("/") === socket);
    socket.connect();
    await within("connect", new Promise((resolve) => socket.on("connect", resolve)));
    note(socket.io === manager, manager.engine.readyState);
    socket.disconnect();
  },

  async "json"({ open, next, note }) {
    const socket = open();
    socket.emit("message", 1, -1.5e300, "2", { 3: [true, null, { a: {} }] }, "", [], false, null, undefined);
    note(...await next(socket, "message-back"));
    socket.emit("message", new Date(0), { toJSON: () => "as json" }, [undefined, NaN], { gone: undefined });
    note(...await next(socket, "message-back"));
    socket.emit("message");
    note(...await next(socket, "message-back"));
  },

  async "text"({ open, next, note }) {
    const socket = open();
    socket.emit("message", "é 한글 \u2028 \u{1F600} \\ \" \x1e \n \0 ]}", "\x1e", "-1[", "/a,b");
    note(...await next(socket, "message-back"));
  },

  async "binary"({ open, next, note }) {
    const socket = open();
    socket.emit("message", "before", { nested: [bytes(1, 2), { deep: bytes(3) }] }, bytes(4).buffer, bytes());
    note(...await next(socket, "message-back"));
  },

  async "views of binary data"({ open, next, note }) {
    const socket = open();
    const all = bytes(0, 1, 2, 3, 4, 5, 6, 7).buffer;
    socket.emit("message", new Uint8Array(all, 2, 3), new DataView(all, 1, 2), new Uint16Array(all, 2, 2));
    note(...await next(socket, "message-back"));
  },

  async "binary acks"({ open, note, within }) {
    const socket = open();
    note(await within("ack", socket.emitWithAck("message-with-ack", { b: bytes(7, 8) })));
    note(await within("ack", socket.emitWithAck("message-with-ack", bytes(9))));
  },

  async "binary between texts"({ open, note, within }) {
    const socket = open();
    const answers = [];
    await within("all", new Promise((resolve) => {
      socket.on("message-back", (value) => answers.push(value) === 6 && resolve());
      for (let i = 0; i < 6; i++) socket.emit("message", i % 2 ? bytes(i, i) : i);
    }));
    note(...answers);
  },

  async "forceBase64"({ open, next, note }) {
    const socket = open("/", { forceBase64: true });
    socket.emit("message", bytes(0, 255, 128), "text");
    note(...await next(socket, "message-back"));
  },

  async "large messages"({ open, note, within }) {
    const socket = open();
    const text = "0123456789".repeat(20_000);
    const answers = await within("acks", Promise.all([1, 2, 3, 4, 5, 6].map((i) =>
      socket.emitWithAck("message-with-ack", i + text)))); // together more than one HTTP body may have
    note(answers.map((answer, i) => answer === i + 1 + text));
  },

  async "acks"({ open, note, within }) {
    const socket = open();
    for (const args of [[], [1], [1, "2", { three: 3 }]]) {
      note(await within("ack", new Promise((resolve) =>
        socket.emit("message-with-ack", ...args, (...answer) => resolve(answer)))));
    }
  },

  async "acks before the connection"({ open, note, within }) {
    const socket = open();
    note(await within("ack", new Promise((resolve) => socket.emit("message-with-ack", "early", resolve))));
  },

  async "emitWithAck"({ open, note, within }) {
    const socket = open();
    note(await within("acks", Promise.all([1, 2, 3].map((i) => socket.emitWithAck("message-with-ack", i, "more")))));
  },

  async "timeout with an answer"({ open, note, within }) {
    const socket = open();
    note(await within("ack", new Promise((resolve) =>
      socket.timeout(20_000).emit("message-with-ack", "a", "b", (...answer) => resolve(answer)))));
    note(await within("ack", socket.timeout(20_000).emitWithAck("message-with-ack", "c")));
  },

  async "timeout without an answer"({ open, next, note, within }) {
    const socket = open();
    await next(socket, "connect");
    const [error, ...rest] = await within("ack", new Promise((resolve) =>
      socket.timeout(1).emit("nothing", (...answer) => resolve(answer))));
    note(error instanceof Error, error.message, rest);
    await assert.rejects(socket.timeout(1).emitWithAck("nothing"), /operation has timed out/);
    note(await within("ack", socket.emitWithAck("message-with-ack", "without a time-out again")));
  },

  async "timeout while offline"({ open, note, within }) {
    const socket = open("/", { autoConnect: false });
    const late = within("ack", new Promise((resolve) => socket.timeout(1).emit("message", "late", resolve)));
    socket.emit("message", "kept");
    note((await late).message, socket.sendBuffer.length);
    const heard = [];
    socket.on("message-back", (text) => heard.push(text));
    socket.connect();
    await within("ack", socket.emitWithAck("message-with-ack"));
    note(heard);
  },

  async "ackTimeout"({ open, note, within }) {
    const socket = open("/", { ackTimeout: 1, autoConnect: false });
    note((await within("ack", new Promise((resolve) => socket.emit("nothing", resolve)))).message);
    await assert.rejects(socket.emitWithAck("nothing"), /operation has timed out/);
  },

  async "acks of a lost connection"({ open, next, note, within }) {
    const socket = open();
    await next(socket, "connect");
    socket.emit("nothing", () => note("never called"));
    const error = within("ack", new Promise((resolve) => socket.timeout(20_000).emit("nothing", resolve)));
    const rejected = assert.rejects(socket.emitWithAck("nothing"), /socket has been disconnected/);
    socket.on("disconnect", () => note("disconnect"));
    socket.disconnect();
    note((await error).message);
    await rejected;
  },

  async "events before the connection"({ open, note, within }) {
    const socket = open();
    const heard = [];
    socket.on("message-back", (i) => heard.push(i));
    for (let i = 0; i < 5; i++) socket.emit("message", i);
    note(socket.sendBuffer.length);
    await within("ack", socket.emitWithAck("message-with-ack"));
    note(heard, socket.sendBuffer.length);
  },

  async "volatile"({ open, next, note, within }) {
    const socket = open();
    const heard = [];
    socket.on("message-back", (text) => heard.push(text));
    note(socket.volatile === socket);
    socket.volatile.emit("message", "dropped");
    socket.emit("message", "kept");
    await next(socket, "message-back");
    while (!heard.includes("sent")) {
      socket.volatile.emit("message", "sent"); // while a transport is busy it is dropped
      await sleep(2);
    }
    await within("ack", socket.emitWithAck("message-with-ack"));
    note(heard.filter((text) => text !== "sent"));
  },

  async "retries"({ open, note, within, unique }) {
    const socket = open("/", { retries: 50, ackTimeout: 1_500 });
    const order = [];
    const answered = (key, n) => within(key, new Promise((resolve) =>
      socket.emit("flaky", unique + key, n, (error, count) => { order.push(key); resolve([error, count >= n]); })));
    note(await Promise.all([answered("first", 2), answered("second", 1)]), order);
    note(await within("ack", socket.emitWithAck("message-with-ack", "third")));
  },

  async "retries that end"({ open, next, note, within }) {
    const socket = open("/", { retries: 2, ackTimeout: 5 });
    let sent = 0;
    socket.onAnyOutgoing((event) => { if (event === "nothing") sent++; });
    await next(socket, "connect");
    note((await within("ack", new Promise((resolve) => socket.emit("nothing", resolve)))).message, sent);
    await assert.rejects(socket.emitWithAck("nothing"), /operation has timed out/);
    note(sent);
  },

  async "retries after a reconnection"({ open, relay, next, note, within, unique }) {
    const through = await relay();
    const socket = open("/", { ...quick, retries: 50, ackTimeout: 2_000 }, through.address);
    await next(socket, "connect");
    const answer = within("ack", socket.emitWithAck("flaky", unique, 2));
    await sleep(20);
    await through.cut();
    note(await answer >= 2);
  },

  async "reserved events"({ open, note }) {
    const socket = open("/", { autoConnect: false });
    for (const event of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]) {
      assert.throws(() => socket.emit(event), /is a reserved event name/);
    }
    note(socket.sendBuffer.length);
  },

  async "catch-all listeners"({ open, next, note, within }) {
    const socket = open();
    const heard = [];
    const one = (event, ...args) => heard.push(["one", event, args.length]);
    const two = (event, ...args) => heard.push(["two", event, args.length]);
    note(socket.onAny(one) === socket, socket.prependAny(two) === socket, socket.listenersAny().length);
    await next(socket, "auth");
    socket.offAny(two);
    socket.emit("message", 1, 2);
    await next(socket, "message-back");
    socket.offAny();
    socket.emit("message", 1);
    await next(socket, "message-back");
    note(heard, socket.listenersAny().length);
    await within("ack", socket.emitWithAck("message-with-ack"));
  },

  async "catch-all listeners of what is sent"({ open, next, note, within }) {
    const socket = open();
    const heard = [];
    const one = (...args) => heard.push(["one", ...args]);
    const two = (...args) => heard.push(["two", ...args]);
    socket.onAnyOutgoing(one).prependAnyOutgoing(two);
    socket.emit("message", "buffered");
    note(heard.length, socket.listenersAnyOutgoing().length);
    await next(socket, "message-back");
    socket.offAnyOutgoing(two);
    await within("ack", socket.emitWithAck("message-with-ack", "asked"));
    socket.offAnyOutgoing();
    socket.emit("message", "unheard");
    note(heard, socket.listenersAnyOutgoing().length);
  },

  async "listeners"({ open, next, note }) {
    const socket = open();
    await next(socket, "connect");
    const heard = [];
    const a = () => heard.push("a");
    const b = () => heard.push("b");
    socket.on("message-back", a).once("message-back", b).on("message-back", () => heard.push("c"));
    note(socket.listeners("message-back").length, socket.hasListeners("message-back"), socket.hasListeners("x"));
    socket.emit("message");
    await next(socket, "message-back");
    socket.off("message-back", a);
    socket.emit("message");
    await next(socket, "message-back");
    socket.once("message-back", b);
    socket.off("message-back", b);
    note(socket.listeners("message-back").length);
    socket.removeAllListeners("message-back");
    socket.on("message-back", a).removeListener("message-back", a);
    note(heard, socket.hasListeners("message-back"));
    socket.on("x", a).off();
    note(socket.hasListeners("x"));
  },

  async "send is a message"({ open, next, note }) {
    const socket = open();
    note(socket.send("a", 1) === socket);
    note(...await next(socket, "message-back"));
    note(socket.compress(false) === socket);
    socket.emit("message", "uncompressed");
    note(...await next(socket, "message-back"));
  },

  async "auth"({ open, next, note }) {
    note((await next(open("/", { auth: { token: "abc", n: 1 } }), "auth"))[0]);
    note((await next(open("/", { auth: (done) => setTimeout(() => done({ token: "later" }), 1) }), "auth"))[0]);
    note((await next(open("/"), "auth"))[0]);
  },

  async "auth of each connection"({ open, next, note, hide }) {
    let count = 0;
    const socket = open("/", { ...quick, auth: (done) => done({ count: ++count }) });
    note((await next(socket, "auth"))[0].count);
    socket.disconnect().connect();
    note((await next(socket, "auth"))[0].count);
    socket.auth = { token: "new" };
    socket.disconnect().connect();
    note(hide((await next(socket, "auth"))[0]));
  },

  async "query"({ open, next, note, address }) {
    note((await next(open("/", { query: { room: "a b&é" } }), "auth"))[1]);
    note((await next(open("/?room=c%20d"), "auth"))[1]);
    note(address.length > 0);
  },

  async "namespaces share a connection"({ open, next, note, within, hide }) {
    const main = open();
    await next(main, "connect");
    const other = main.io.socket("/other", { auth: { token: "right" } });
    note(hide((await next(other, "auth"))[0]), other.id !== main.id, other.nsp, other.io === main.io);
    other.disconnect();
    note(await within("ack", main.emitWithAck("message-with-ack", "still here")), other.connected, main.connected);
    other.connect();
    note(hide((await next(other, "auth"))[0]));
    main.disconnect();
    note(main.connected, other.connected, main.io.engine.readyState);
  },

  async "unknown namespace"({ open, next, note }) {
    const socket = open("/nowhere", quick);
    const [error] = await next(socket, "connect_error");
    note(error instanceof Error, error.message, error.data, socket.active, socket.connected);
  },

  async "unknown namespace beside one that is known"({ open, next, note, within }) {
    const main = open();
    await next(main, "connect");
    const unknown = main.io.socket("/nowhere", {});
    note((await next(unknown, "connect_error"))[0].message, unknown.active, main.connected);
    note(await within("ack", main.emitWithAck("message-with-ack", 1)));
  },

  async "disconnect by the server"({ open, next, note }) {
    const socket = open("/", quick);
    await next(socket, "connect");
    socket.emit("disconnect me");
    note(await next(socket, "disconnect"), socket.active, socket.connected, socket.id);
    socket.connect();
    await next(socket, "connect");
    note(Boolean(socket.recovered));
  },

  async "disconnect by the client"({ open, next, note }) {
    const socket = open("/", quick);
    await next(socket, "connect");
    socket.on("disconnect", (...args) => note("disconnect", ...args));
    const { engine } = socket.io;
    const closed = next(engine, "close");
    note(socket.disconnect() === socket, socket.active, socket.connected, socket.id);
    note(socket.active, socket.io.engine === engine, engine.readyState, (await closed)[0]);
  },

  async "disconnect before the connection"({ open, note }) {
    const socket = open("/", quick);
    for (const event of ["connect", "connect_error", "disconnect"]) socket.on(event, () => note(event));
    socket.disconnect();
    await sleep(30);
    note(socket.connected, socket.active);
  },

  async "close is disconnect"({ open, next, note }) {
    const socket = open();
    await next(socket, "connect");
    const reason = next(socket, "disconnect");
    socket.close();
    note(await reason);
    socket.emit("message", "while away");
    socket.connect();
    note(...await next(socket, "message-back"));
  },

  async "reconnection after a cut"({ open, relay, next, note }) {
    const through = await relay();
    const socket = open("/", quick, through.address);
    await next(socket, "connect");
    for (const event of ["reconnect_attempt", "reconnect"]) socket.io.on(event, (n) => note(event, n));
    socket.on("disconnect", (reason) => note(/^transport (close|error)$/.test(reason), socket.active, socket.connected));
    const back = next(socket.io, "reconnect");
    await cut(through, socket);
    await back;
  },

  async "reconnection after a while"({ open, relay, next, note, within }) {
    const through = await relay();
    const socket = open("/", quick, through.address);
    await next(socket, "connect");
    const attempts = [];
    const errors = [];
    socket.io.on("reconnect_attempt", (n) => attempts.push(n));
    socket.io.on("reconnect_error", (error) => errors.push(error instanceof Error));
    socket.on("connect_error", (error) => assert.ok(socket.active && error.message));
    await through.stop();
    await within("attempts", (async () => { while (errors.length < 3) await sleep(2); })());
    socket.emit("message", "said while away");
    const [heard, back] = [next(socket, "message-back"), next(socket.io, "reconnect")];
    await through.start();
    note((await heard)[0], attempts.slice(0, 3), errors.slice(0, 3));
    note((await back)[0] === attempts.length);
  },

  async "reconnection that fails"({ open, relay, next, note }) {
    const through = await relay();
    const socket = open("/", { ...quick, reconnectionAttempts: 2 }, through.address);
    await next(socket, "connect");
    const failed = next(socket.io, "reconnect_failed");
    for (const event of ["reconnect_attempt", "reconnect_error", "reconnect"]) {
      socket.io.on(event, (value) => note(event, typeof value));
    }
    await through.stop();
    note(await failed, socket.active);
  },

  async "no reconnection"({ open, relay, next, note }) {
    const through = await relay();
    const socket = open("/", { reconnection: false }, through.address);
    await next(socket, "connect");
    socket.io.on("reconnect_attempt", () => note("reconnect_attempt"));
    await cut(through, socket);
    await sleep(20);
    note(socket.connected, socket.active);
    socket.connect();
    await next(socket, "connect");
  },

  async "reconnection is switched off"({ open, relay, next, note }) {
    const through = await relay();
    const socket = open("/", quick, through.address);
    await next(socket, "connect");
    note(socket.io.reconnection(false) === socket.io, socket.io.reconnection());
    socket.io.on("reconnect_attempt", () => note("reconnect_attempt"));
    await cut(through, socket);
    await sleep(20);
    note(socket.connected);
  },

  async "refused connection"({ open, relay, next, note }) {
    const through = await relay();
    await through.stop();
    const socket = open("/", { reconnection: false }, through.address);
    const [error] = await next(socket, "connect_error");
    note(error instanceof Error, error.message, error.type, socket.active, socket.connected);
  },

  async "refused connection, then a server"({ open, relay, next, note }) {
    const through = await relay();
    await through.stop();
    const socket = open("/", quick, through.address);
    socket.emit("message", "early");
    await next(socket, "connect_error");
    const heard = next(socket, "message-back");
    await through.start();
    note((await heard)[0]);
  },

  async "slow server"({ open, relay, next, note }) {
    const through = await relay();
    await through.make("stalled");
    const socket = open("/", { reconnection: false, timeout: 30 }, through.address);
    note((await next(socket, "connect_error"))[0].message, socket.active);
  },

  async "wrong path"({ open, next, note }) {
    const socket = open("/", { path: "/elsewhere", reconnection: false });
    const [error] = await next(socket, "connect_error");
    note(error instanceof Error, error.message, error.type);
  },

  async "engine.close and recovery"({ open, next, note, within, unique }) {
    const socket = open("/", { reconnection: false }); // it comes back when the server knows that it is gone
    await next(socket, "connect");
    const id = socket.id;
    await within("ack", socket.emitWithAck("join", unique));
    const news = [];
    socket.on("news", (text) => news.push(text));
    socket.emit("to all", unique, "before");
    await next(socket, "sent");
    const other = open();
    await next(other, "connect");
    const lost = next(socket, "disconnect");
    socket.io.engine.close();
    note((await lost)[0]);
    while (await within("ack", other.emitWithAck("is there", id))) await sleep(1);
    for (const text of ["missed 1", "missed 2"]) {
      other.emit("to all", unique, text);
      await next(other, "sent");
    }
    socket.connect();
    await next(socket, "connect");
    note(socket.recovered, socket.id === id);
    socket.emit("to all", unique, "after");
    await next(socket, "sent");
    note(news);
    socket.disconnect().connect();
    await next(socket, "connect");
    note(socket.id === id);
  },

  async "order"({ open, note, within }) {
    const socket = open();
    const heard = [];
    await within("all", new Promise((resolve) => {
      socket.on("message-back", (n) => heard.push(n) === 200 && resolve());
      socket.on("connect", async () => {
        for (let i = 0; i < 200; i++) {
          socket.emit("message", i);
          if (i % 20 === 0) await sleep(1);
        }
      });
    }));
    note(heard.every((n, i) => n === i));
  },

  async "burst of the server"({ open, note, within }) {
    const socket = open();
    const heard = [];
    await within("all", new Promise((resolve) => {
      socket.on("tick", (n) => heard.push(n) === 100 && resolve());
      socket.emit("burst", 100);
    }));
    note(heard.every((n, i) => n === i));
  },

  async "a malformed packet ends the connection"({ open, next, note }) {
    const socket = open();
    await next(socket, "connect");
    socket.io.engine.write("2{}");
    assert.match((await next(socket, "disconnect"))[0], /transport (close|error)/);
    note(socket.connected);
  },

  async "settings of a manager"({ Manager, address, note }) {
    const manager = new Manager(address, { autoConnect: false, reconnectionDelay: 7, timeout: 9 });
    note(manager.reconnection(), manager.reconnectionAttempts(), manager.reconnectionDelay(),
      manager.reconnectionDelayMax(), manager.randomizationFactor(), manager.timeout());
    note(manager.reconnectionAttempts(3) === manager, manager.reconnectionAttempts());
    manager.reconnectionDelay(10).reconnectionDelayMax(20).randomizationFactor(0).timeout(false);
    note(manager.reconnectionDelay(), manager.reconnectionDelayMax(), manager.randomizationFactor(), manager.timeout());
    note([1, 2, 3, 4].map(() => manager.backoff.duration()), manager.backoff.attempts);
  },

  async "closing a manager"({ open, next, note }) {
    const socket = open("/", quick);
    await next(socket, "connect");
    const lost = next(socket, "disconnect");
    socket.io.disconnect ? socket.io.disconnect() : socket.io._close();
    note(await lost, socket.connected);
    await sleep(20);
    note(socket.connected);
  },
};

// here are cases for this server alone: the official one drops what arrives together with the goodbye.
export const here = {
  async "last words"({ open, next, note, within, unique }) {
    const [socket, witness] = [open("/", {}), open("/", {})];
    await Promise.all([next(socket, "connect"), next(witness, "connect")]);
    await within("ack", witness.emitWithAck("join", unique));
    const heard = next(witness, "news");
    socket.emit("to others", unique, "last words");
    socket.disconnect();
    note((await heard)[0]);
  },
};

// asked are cases for servers that ask their clients, or that refuse them with data: the official one.
export const asked = {
  async "acks to the server"({ open, next, note }) {
    const socket = open();
    socket.on("question", (...args) => {
      const answer = args.pop();
      answer(args.length, "yes", bytes(1, 2));
      answer("a second time");
    });
    socket.emit("ask", "a", "b");
    note(...await next(socket, "answered"));
    socket.offAny().removeAllListeners("question");
    socket.onAny((event, ...args) => { if (event === "question") args.at(-1)("by a catch-all listener"); });
    socket.emit("ask");
    note(...await next(socket, "answered"));
  },

  async "refusal with data"({ open, next, note }) {
    const socket = open("/guarded", { ...quick, auth: { token: "wrong" } });
    const [error] = await next(socket, "connect_error");
    note(error instanceof Error, error.message, error.data, socket.active, socket.connected);
    socket.auth = { token: "right" };
    socket.connect();
    await next(socket, "connect");
    note(socket.connected);
  },
};

// choices are cases about the choice of transports, which are run with that of their own.
export const choices = {
  async "the upgrade takes place"({ open, next, note, within }) {
    const socket = open("/", { transports: ["polling", "websocket"] });
    await next(socket, "connect");
    const { engine } = socket.io;
    if (engine.transport.name === "polling") await next(engine, "upgrade");
    note(engine.transport.name, await within("ack", socket.emitWithAck("message-with-ack", 1)));
  },

  async "no upgrade is wanted"({ open, next, note, within }) {
    const socket = open("/", { transports: ["polling", "websocket"], upgrade: false });
    await next(socket, "connect");
    await within("ack", socket.emitWithAck("message-with-ack", 1));
    await sleep(20);
    note(socket.io.engine.transport.name);
  },

  async "WebSockets are refused, polling goes on"({ open, relay, next, note, within }) {
    const through = await relay();
    await through.make("refusesWebSockets");
    const socket = open("/", { transports: ["polling", "websocket"] }, through.address);
    const { engine } = socket.io;
    const failed = within("upgradeError", new Promise((resolve) => engine.once("upgradeError", resolve)));
    await next(socket, "connect");
    const error = await failed;
    note(error instanceof Error, error.message.startsWith("probe error"), error.transport, engine.transport.name);
    note(await within("ack", socket.emitWithAck("message-with-ack", bytes(1))));
  },

  async "WebSockets are refused, and nothing else is tried"({ open, relay, next, note }) {
    const through = await relay();
    await through.make("refusesWebSockets");
    const socket = open("/", { transports: ["websocket", "polling"], reconnection: false }, through.address);
    const [error] = await next(socket, "connect_error");
    note(error.message, error.type);
  },

  async "tryAllTransports"({ open, relay, next, note, within }) {
    const through = await relay();
    await through.make("refusesWebSockets");
    const socket = open("/", { transports: ["websocket", "polling"], tryAllTransports: true }, through.address);
    await next(socket, "connect");
    note(socket.io.engine.transport.name, await within("ack", socket.emitWithAck("message-with-ack", 1)));
  },

  async "tryAllTransports fails in the end"({ open, relay, next, note }) {
    const through = await relay();
    await through.stop();
    const socket = open("/", { transports: ["websocket", "polling"], tryAllTransports: true, reconnection: false },
      through.address);
    note((await next(socket, "connect_error"))[0].message);
  },

  async "no transport"({ open, next, note }) {
    const socket = open("/", { transports: [], reconnection: false });
    const [error] = await next(socket, "connect_error");
    note(error.message ?? error);
  },

  async "sockets of one server share a manager"({ io, address, keep, note }) {
    const [a, b, c, d, e] = [
      io(address), io(address + "/other"), io(address, { forceNew: true }), io(address, { multiplex: false }), io(address),
    ].map(keep);
    note(a.io === b.io, a.io === c.io, a.io === d.io, a.io === e.io, b.nsp);
    note(io.connect === io || typeof io.connect, typeof io.Manager, typeof io.Socket);
  },
};

// alone are cases about what the sockets of a page share, which run while no other case does.
export const alone = {
  async "rememberUpgrade"({ open, next, note, within }) {
    const options = { transports: ["polling", "websocket"], rememberUpgrade: true };
    const first = open("/", options);
    await next(first, "connect");
    const { engine } = first.io;
    if (engine.transport.name === "polling") await next(engine, "upgrade");
    const second = open("/", options);
    note(second.io.engine.transport.name);
    await next(second, "connect");
  },
};
