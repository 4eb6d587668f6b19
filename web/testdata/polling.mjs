// Official clients that chat over long polling alone, at two instances behind a balancer that keeps a session at its
// instance by a cookie. The argument is the balancer's address. It prints {"at": instance} for each client that stays,
// then {"at", "from", "text"} for each message that one hears, and lets all of them say each line of its input.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../internal/socketio/testdata/clients/package.json", import.meta.url));
const { io } = require("socket.io-client");
const print = (values) => console.log(JSON.stringify(values));

const clients = new Map(); // by instance
for (let i = 0; clients.size < 2; i++) {
  const socket = io(process.argv[2], { transports: ["polling"], withCredentials: true, forceNew: true });
  const [{ instance }] = await new Promise((resolve) => socket.once("session", (...args) => resolve(args)));
  if (clients.has(instance)) {
    socket.disconnect();
    continue;
  }
  clients.set(instance, socket);
  socket.on("user message", (from, text) => print({ at: instance, from, text }));
  await socket.emitWithAck("nickname", `client ${clients.size}`);
  print({ at: instance });
}
createInterface({ input: process.stdin }).on("line", (text) => {
  if (text === "quit") process.exit();
  for (const socket of clients.values()) socket.emit("user message", text);
});
