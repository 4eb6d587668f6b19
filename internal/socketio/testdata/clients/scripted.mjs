// Cases with a server that says what no good server would: it follows a script, over WebSocket and polling.
import { createServer } from "node:http";
import { once } from "node:events";
import { WebSocketServer } from "ws";

export const handshake = (more) => "0" + JSON.stringify({
  sid: "a", upgrades: [], pingInterval: 20_000, pingTimeout: 20_000, maxPayload: 1_000_000, ...more,
});

// scripted returns an address whose WebSockets and requests the caller answers.
export async function scripted({ onSocket, onRequest }) {
  const web = createServer((request, response) => onRequest?.(request, response, new URL(request.url, "http://a")));
  const sockets = new WebSocketServer({ noServer: true });
  web.on("upgrade", (request, socket, head) => sockets.handleUpgrade(request, socket, head, (ws) => {
    onSocket(ws, new URL(request.url, "http://a"));
  }));
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  return {
    address: `http://127.0.0.1:${web.address().port}`,
    close: () => {
      sockets.clients.forEach((ws) => ws.terminate());
      web.closeAllConnections();
      web.close();
    },
  };
}

// says makes a server that sends these messages over WebSocket.
const says = (...messages) => ({
  onSocket: (ws) => messages.forEach((message) => ws.send(message)),
});

const joined = '40{"sid":"b"}';

export const scripts = {
  "a heartbeat is answered": {
    server: (note, done) => ({
      onSocket: (ws) => {
        [handshake(), joined, "2"].forEach((message) => ws.send(message));
        ws.on("message", (data) => { if (String(data) !== "40") done(note(String(data))); });
      },
    }),
    run: ({ socket, next, done }) => Promise.all([next(socket.io, "ping"), done]),
  },

  "a heartbeat is missed": {
    server: () => says(handshake({ pingInterval: 20, pingTimeout: 20 }), joined),
    async run({ socket, next, note }) {
      note((await next(socket, "disconnect"))[0], socket.active);
    },
  },

  "an answer of Socket.IO 2": {
    server: () => says(handshake(), "40"),
    async run({ socket, next, note }) {
      const [error] = await next(socket, "connect_error");
      note(error instanceof Error, socket.connected);
    },
  },

  "a refusal in words": {
    server: () => says(handshake(), '44{"message":"no","data":[1]}'),
    async run({ socket, next, note }) {
      const [error] = await next(socket, "connect_error");
      note(error.message, error.data, socket.active);
    },
  },

  "events before the answer": {
    server: () => says(handshake(), '42["early",1]', '42["early",2]', joined),
    async run({ socket, next, note }) {
      socket.on("early", (n) => note(n, socket.connected));
      socket.on("connect", () => note("connect"));
      await next(socket, "connect");
    },
  },

  "events of other namespaces": {
    server: () => says(handshake(), joined, '42/x,["event","other"]', '42["event","own"]'),
    async run({ socket, next, note }) {
      note(await next(socket, "event"));
    },
  },

  "an answer to no question": {
    server: () => says(handshake(), joined, "437[1]", '42["event"]'),
    async run({ socket, next, note }) {
      note(await next(socket, "event"));
    },
  },

  "the server says goodbye": {
    server: () => says(handshake(), joined, "41"),
    async run({ socket, next, note }) {
      note(await next(socket, "disconnect"), socket.active);
    },
  },

  "the server asks twice": {
    server: (note, done) => ({
      onSocket: (ws) => {
        [handshake(), joined, '425["q","a"]', '42/,6["q"]'].forEach((message) => ws.send(message));
        ws.on("message", (data) => { if (/^43/.test(data)) done(note(String(data))); });
      },
    }),
    async run({ socket, next, done }) {
      socket.on("q", (...args) => { args.at(-1)(args.length); args.at(-1)("again"); });
      await next(socket, "q");
      await done;
    },
  },

  ...Object.fromEntries([
    ["no JSON", "42[1"], ["an event without a name", "42[null]"], ["a reserved event", '42["connect"]'],
    ["an unknown type", "47[]"], ["an object as arguments", "42{}"], ["an answer that is no list", '431{}'],
    ["a goodbye with words", '41{"a":1}'], ["attachments without a number", '45["a"]'],
    ["a placeholder without data", '451-["a",{"_placeholder":true,"num":7}]', Buffer.from([1])],
    ["text in place of an attachment", '451-["a",{"_placeholder":true,"num":0}]', '42["b"]'],
    ["an attachment of nothing", Buffer.from([1])], ["a list as the answer to CONNECT", "40[]"],
  ].map(([name, ...messages]) => [`malformed: ${name}`, {
    server: () => says(handshake(), joined, ...messages),
    async run({ socket, next, note }) {
      note((await next(socket, "disconnect"))[0]);
    },
  }])),

  "a packet of no type": {
    server: () => says(handshake(), joined, "x"),
    async run({ socket, next, note }) {
      note((await next(socket, "disconnect"))[0]);
    },
  },

  "the query of a WebSocket": {
    server: (note, done) => ({
      onSocket: (ws, url) => {
        note(url.pathname, [...url.searchParams.entries()].sort());
        [handshake(), joined].forEach((message) => ws.send(message));
      },
    }),
    options: { query: { own: "value" } },
    async run({ socket, next }) {
      await next(socket, "connect");
    },
  },

  "requests of polling": {
    server: (note, done) => ({
      onRequest: (request, response, url) => {
        const { sid } = Object.fromEntries(url.searchParams);
        let body = "";
        request.on("data", (data) => { body += data; }).on("end", () => {
          if (request.method === "POST" || !sid) {
            note(request.method, url.pathname, [...url.searchParams.keys()].sort(), body, request.headers["x-own"]);
          }
          if (request.method === "POST") done(response.end("ok"));
          else if (!sid) response.end(handshake() + "\x1e" + joined);
        });
      },
    }),
    options: { transports: ["polling"], extraHeaders: { "X-Own": "yes" } },
    run: ({ socket, next, done }) => Promise.all([next(socket, "connect"), done]),
  },

  "status 400 of polling": {
    server: () => ({
      onRequest: (request, response) => {
        response.statusCode = 400;
        response.end('{"code":3,"message":"Bad request"}');
      },
    }),
    options: { transports: ["polling"], reconnection: false },
    async run({ socket, next, note }) {
      const [error] = await next(socket, "connect_error");
      note(error.message, error.type, error.description, socket.active);
    },
  },

  "a handshake that is none": {
    server: () => ({ onRequest: (request, response) => response.end("hello") }),
    options: { transports: ["polling"], reconnection: false },
    async run({ socket, next, note }) {
      note((await next(socket, "connect_error"))[0] instanceof Error);
    },
  },

  "the server closes a poll": {
    server: () => ({
      onRequest: (request, response, url) => {
        if (request.method === "POST") response.end("ok");
        else response.end(url.searchParams.has("sid") ? "1" : handshake() + "\x1e" + joined);
      },
    }),
    options: { transports: ["polling"], reconnection: false },
    async run({ socket, next, note }) {
      note((await next(socket, "disconnect"))[0]);
    },
  },
};
