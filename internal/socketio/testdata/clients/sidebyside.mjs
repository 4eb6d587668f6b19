// Plays a case with two clients beside each other, and compares what it notes; in Node and in browsers.
import assert from "node:assert/strict";

export const ways = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };
const together = 8; // cases at a time

let patience = 60_000;
export const setPatience = (milliseconds) => { patience = milliseconds; };

export function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing came`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// next is a promise of the arguments of the next such event.
export const next = (emitter, event) =>
  within(event, new Promise((resolve) => emitter.once(event, (...args) => resolve(args))));

// plain is a value without what differs between the clients on purpose: binary data is an ArrayBuffer or a Buffer.
function plain(value) {
  if (value instanceof ArrayBuffer) return ["binary", ...new Uint8Array(value)];
  if (ArrayBuffer.isView(value)) return ["binary", ...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Date || value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

let count = 0;

// observe returns what a case notes with one client. watched calls a function, and rejects for errors in its listeners.
async function observe(client, play, watched) {
  const notes = [];
  const cleanups = [];
  const keep = (closable) => {
    cleanups.push(() => (closable.disconnect ?? closable._close).call(closable));
    return closable;
  };
  const note = (...values) => { notes.push(plain(values)); };
  try {
    await within("the end", new Promise((resolve, reject) => {
      watched(reject, () => play({ client, note, keep, cleanups, unique: `room ${++count}` }).then(resolve, reject));
    }));
  } finally {
    for (const cleanup of cleanups) void cleanup();
  }
  return notes;
}

// onServer plays a case against a server whose addresses addressOf returns. newRelay makes a relay to it.
export const onServer = (play, addressOf, newRelay, transports) => ({ client, note, keep, cleanups, unique }) => {
  const address = addressOf();
  const open = (path = "/", options = {}, at = address) =>
    keep(client.io(at + path, { transports, forceNew: true, reconnection: false, ...options }));
  const relay = async () => {
    const made = await newRelay();
    cleanups.unshift(() => made.stop().catch(() => {}));
    return made;
  };
  const hide = ({ pid, offset, ...rest }) => rest;
  return play({ io: client.io, Manager: client.Manager, address, transports, open, relay, keep, next, note, within, unique, hide });
};

// compare returns the error of a case: if the clients differ, or one fails.
async function compare(clients, play, watched) {
  const [own, official] = await Promise.all(Object.entries(clients).map(([who, client]) =>
    observe(client, play, watched).catch((e) => { throw new Error(`the ${who} client`, { cause: e }); })));
  assert.deepEqual(own, official, "the own client, and the official one");
}

// playAll plays cases, pairs of name and play, some at a time, and tells the error of each, or undefined.
export async function playAll(clients, plays, tell, { watched = (_, call) => call(), atOnce = together } = {}) {
  const queue = [...plays];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let play; (play = queue.shift());) {
      await compare(clients, play[1], watched).then(() => tell(play[0]), (error) => tell(play[0], error));
    }
  }));
}
