// An official Socket.IO client that joins the chat at an address and records what it receives. For each line of its
// standard input it prints the record as one JSON object.
import { createRequire } from "node:module";
import { join } from "node:path";

const [address, name, packages] = process.argv.slice(2);
const { io } = createRequire(join(packages, "package.json"))("socket.io-client");

const record = { lines: [], duplicates: [], resets: 0, reconnects: 0, instances: [], problems: [] };
const seen = new Set();
let token;

function line(l, event) {
  if (seen.has(l.id)) {
    if (event) record.duplicates.push(l);
    return;
  }
  seen.add(l.id);
  record.lines.push(l);
}

const socket = io(address, {
  transports: ["websocket"],
  reconnectionDelay: 100,
  reconnectionDelayMax: 1000,
  auth: (use) => use(token ? { token } : {}),
});
socket.on("session", (session) => {
  if (record.instances.at(-1) !== session.instance) record.instances.push(session.instance);
  if (session.code) record.problems.push(session.code);
  if (session.recovered && session.name) record.reconnects++;
  if (!session.name && !token) claim();
});

// claim requests the name. The server may hold it for this very client, if the connection was lost together with the
// answer.
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
  if (reason === "io server disconnect") record.problems.push(reason);
});

process.stdin.on("data", () => console.log(JSON.stringify({ ...record, connected: socket.connected })));
process.stdin.on("end", () => socket.disconnect());
