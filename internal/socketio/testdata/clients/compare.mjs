// Runs the same cases with the client of web/client and with the official one, beside each other, and prints a line of
// JSON for each: its name, and an error if the clients differ, or if one fails. The argument is the port of the server
// of clients_test.go.
import { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";
import * as officialClient from "socket.io-client";
import { WebSocket } from "ws";
import { alone, asked, cases, choices, here } from "./cases.mjs";
import { officialServer } from "./official.mjs";
import { Relay } from "./relay.mjs";
import { scripted, scripts } from "./scripted.mjs";
import { next, onServer, playAll, setPatience, ways, within } from "./sidebyside.mjs";

globalThis.WebSocket ??= WebSocket; // Node 20 has none
const ownClient = await import("../../../../web/client/index.js");
const clients = { own: ownClient, official: officialClient };
if (process.argv[4]) setPatience(Number(process.argv[4]));

const running = new AsyncLocalStorage(); // so that an error in a listener is that of its case
for (const event of ["uncaughtException", "unhandledRejection"]) {
  process.on(event, (error) => {
    const fail = running.getStore();
    if (fail) fail(error);
    else throw error;
  });
}

// at plays a case against a server at a port.
const at = (play, port, transports) =>
  onServer(play, () => `http://127.0.0.1:${port}`, () => new Relay(port).start(), transports);

// onScript plays a case against a server that follows a script.
const onScript = ({ server, options, run }) => async ({ client, note, keep, cleanups }) => {
  let finish;
  const done = new Promise((resolve) => { finish = resolve; });
  const { address, close } = await scripted(server(note, finish));
  cleanups.push(close);
  const socket = keep(client.io(address, { transports: ["websocket"], forceNew: true, reconnection: false, ...options }));
  await run({ socket, next, note, get done() { return within("the script's end", done); } });
};

const official = await officialServer();
const recovering = await officialServer({ connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
const groups = { here, node: asked };
const plays = [];
for (const [server, port] of Object.entries({ here: Number(process.argv[2]), node: official.port })) {
  for (const [way, transports] of Object.entries(ways)) {
    if (way === "upgrade" && server === "node") continue; // the choices have one
    for (const [name, play] of Object.entries({ ...cases, ...groups[server] })) {
      const to = server === "node" && name.includes("recovery") ? recovering.port : port;
      plays.push([`${server}/${way}/${name}`, at(play, to, transports)]);
    }
  }
  for (const [name, play] of Object.entries(choices)) plays.push([`${server}/${name}`, at(play, port)]);
}
for (const [name, script] of Object.entries(scripts)) plays.push([`script/${name}`, onScript(script)]);

const wanted = ([name]) => new RegExp(process.argv[3] ?? "").test(name);
const print = (name, error) => console.log(JSON.stringify({ name, error: error ? inspect(error) : "" }));
const watched = (reject, call) => running.run(reject, call);
await playAll(clients, plays.filter(wanted), print, { watched });
const last = Object.entries(alone).map(([name, play]) => [name, at(play, official.port)]);
await playAll(clients, last.filter(wanted), print, { watched, atOnce: 1 });
process.exit(0);
