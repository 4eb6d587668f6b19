// Runs the same cases with the client of web/client and with the official one, beside each other, and prints a line of
// JSON for each: its name, and an error if the clients differ, or if one fails. The argument is the port of the server
// of clients_test.go.
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";
import * as officialClient from "socket.io-client";
import { WebSocket } from "ws";
import { alone, asked, cases, choices, here } from "./cases.mjs";
import { officialServer } from "./official.mjs";
import { Relay } from "./relay.mjs";
import { scripted, scripts } from "./scripted.mjs";

globalThis.WebSocket ??= WebSocket; // Node 20 has none
const ownClient = await import("../../../../web/client/index.js");
const clients = { own: ownClient, official: officialClient };

const patience = Number(process.argv[4] ?? 30_000);
const together = 8; // cases at a time
const ways = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

const running = new AsyncLocalStorage(); // so that an error in a listener is that of its case
for (const event of ["uncaughtException", "unhandledRejection"]) {
  process.on(event, (error) => {
    const fail = running.getStore();
    if (fail) fail(error);
    else throw error;
  });
}

function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing came`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// next is a promise of the arguments of the next such event.
const next = (emitter, event) => within(event, new Promise((resolve) => emitter.once(event, (...args) => resolve(args))));

// plain is a value without what differs between the clients on purpose: binary data is an ArrayBuffer or a Buffer.
function plain(value) {
  if (value instanceof ArrayBuffer) return ["binary", ...new Uint8Array(value)];
  if (ArrayBuffer.isView(value)) return ["binary", ...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Date || value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

let count = 0;

// observe returns what a case notes with one client.
async function observe(client, play) {
  const notes = [];
  const cleanups = [];
  const keep = (closable) => {
    cleanups.push(() => (closable.disconnect ?? closable._close).call(closable));
    return closable;
  };
  const note = (...values) => { notes.push(plain(values)); };
  try {
    await within("the end", new Promise((resolve, reject) => {
      running.run(reject, () => play({ client, note, keep, cleanups, unique: `room ${++count}` }).then(resolve, reject));
    }));
  } finally {
    for (const cleanup of cleanups) void cleanup();
  }
  return notes;
}

// onServer plays a case against a server.
const onServer = (play, port, transports) => ({ client, note, keep, cleanups, unique }) => {
  const address = `http://127.0.0.1:${port}`;
  const open = (path = "/", options = {}, at = address) =>
    keep(client.io(at + path, { transports, forceNew: true, reconnection: false, ...options }));
  const relay = async () => {
    const made = await new Relay(port).start();
    cleanups.unshift(() => made.stop().catch(() => {}));
    return made;
  };
  const hide = ({ pid, offset, ...rest }) => rest;
  return play({ io: client.io, Manager: client.Manager, address, transports, open, relay, keep, next, note, within, unique, hide });
};

// onScript plays a case against a server that follows a script.
const onScript = ({ server, options, run }) => async ({ client, note, keep, cleanups }) => {
  let finish;
  const done = new Promise((resolve) => { finish = resolve; });
  const { address, close } = await scripted(server(note, finish));
  cleanups.push(close);
  const socket = keep(client.io(address, { transports: ["websocket"], forceNew: true, reconnection: false, ...options }));
  await run({ socket, next, note, get done() { return within("the script's end", done); } });
};

async function compare(name, play) {
  let error = "";
  try {
    const [own, official] = await Promise.all(Object.entries(clients).map(([who, client]) =>
      observe(client, play).catch((e) => { throw new Error(`the ${who} client`, { cause: e }); })));
    assert.deepEqual(own, official, "the own client, and the official one");
  } catch (e) {
    error = inspect(e);
  }
  console.log(JSON.stringify({ name, error }));
}

const official = await officialServer();
const recovering = await officialServer({ connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
const groups = { here, node: asked };
const plays = [];
for (const [server, port] of Object.entries({ here: Number(process.argv[2]), node: official.port })) {
  for (const [way, transports] of Object.entries(ways)) {
    if (way === "upgrade" && server === "node") continue; // the choices have one
    for (const [name, play] of Object.entries({ ...cases, ...groups[server] })) {
      const at = server === "node" && name.includes("recovery") ? recovering.port : port;
      plays.push([`${server}/${way}/${name}`, onServer(play, at, transports)]);
    }
  }
  for (const [name, play] of Object.entries(choices)) plays.push([`${server}/${name}`, onServer(play, port)]);
}
for (const [name, script] of Object.entries(scripts)) plays.push([`script/${name}`, onScript(script)]);

const wanted = new RegExp(process.argv[3] ?? "");
const queue = plays.filter(([name]) => wanted.test(name));
await Promise.all(Array.from({ length: together }, async () => {
  for (let play; (play = queue.shift());) await compare(...play);
}));
for (const [name, play] of Object.entries(alone)) {
  if (wanted.test(name)) await compare(name, onServer(play, official.port));
}
process.exit(0);
