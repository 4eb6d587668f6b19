// An official Socket.IO client that chats by the address it is given and remembers what it is told. For each line of its standard
// input it prints that as one JSON object.
import { createRequire } from "node:module";
import { join } from "node:path";

const [address, name, packages] = process.argv.slice(2);
const { io } = createRequire(join(packages, "package.json"))("socket.io-client");

const record = { lines: [], doubled: [], resets: 0, returns: 0, instances: [], troubles: [] };
const seen = new Set();
let token;

function line(l, again) {
  if (seen.has(l.id)) {
    if (again) record.doubled.push(l);
    return;
  }
  seen.add(l.id);
  record.lines.push(l);
}

const socket = io(address, { transports: ["websocket"], reconnectionDelay: 100, reconnectionDelayMax: 1000, auth: (use) => use(token ? { token } : {}) });
socket.on("session", (session) => {
  if (record.instances.at(-1) !== session.instance) record.instances.push(session.instance);
  if (session.code) record.troubles.push(session.code);
  if (session.recovered && session.name) record.returns++;
  if (!session.name && !token) claim();
});

// claim asks for the name. It may be held for this very client, whose connection was lost before it was told that it has it.
function claim() {
  socket.emit("nickname", name, {}, (taken, detail) => {
    if (token) return;
    if (taken) setTimeout(claim, 1000);
    else {
      token = detail.token;
      console.log("named");
    }
  });
}
socket.on("user message", (from, text, meta) => line({ kind: "message", id: meta.id, from, text }, true));
socket.on("announcement", (text, meta) => {
  if (meta.id) line({ kind: meta.kind, id: meta.id, from: meta.name, text }, true);
});
socket.on("history", (room, history) => {
  if (history.reset) record.resets++;
  for (const l of history.messages) line({ kind: l.kind, id: l.id, from: l.from, text: l.text }, false);
});
socket.on("disconnect", (reason) => {
  if (reason === "io server disconnect") record.troubles.push(reason);
});

process.stdin.on("data", () => console.log(JSON.stringify({ ...record, connected: socket.connected })));
process.stdin.on("end", () => socket.disconnect());
