// The page of browser.mjs.
import * as officialClient from "/official.mjs";
import * as ownClient from "/own/index.js";
import { alone, cases, choices, here } from "./cases.mjs";
import { onServer, playAll, ways } from "./sidebyside.mjs";

const parameters = new URL(import.meta.url).searchParams;
const wanted = ([name]) => new RegExp(parameters.get("wanted")).test(name);

const ask = async (path, values) => {
  const response = await fetch("/" + path, { method: "POST", body: JSON.stringify(values) });
  return response.json();
};

// newRelay makes a relay in the program that serves the page.
async function newRelay() {
  const { id, address } = await ask("relay", {});
  const tell = (call) => (way) => ask("relay", { id, call, way });
  return { address, start: tell("start"), stop: tell("stop"), cut: tell("cut"), make: tell("make") };
}

// Each client of a case has a host name of its own, because a browser has six connections to a host at most.
let count = 0;
const at = (play, transports) =>
  onServer(play, () => `http://c${++count}.localhost:${parameters.get("port")}`, newRelay, transports);

const plays = [];
for (const [way, transports] of Object.entries(ways)) {
  if (way === "upgrade") continue; // the choices have one
  for (const [name, play] of Object.entries({ ...cases, ...here })) plays.push([`${way}/${name}`, at(play, transports)]);
}
for (const [name, play] of Object.entries(choices)) plays.push([name, at(play)]);

const words = (error) => error ? [error.stack, error.cause?.stack].join("\n") : "";
const tell = (name, error) => ask("result", { name, error: words(error) });
addEventListener("error", ({ error }) => tell("an error that no case waits for", error));
addEventListener("unhandledrejection", ({ reason }) => tell("an error that no case waits for", reason));

await playAll({ own: ownClient, official: officialClient }, plays.filter(wanted), tell);
const last = Object.entries(alone).map(([name, play]) => [name, at(play)]);
await playAll({ own: ownClient, official: officialClient }, last.filter(wanted), tell, { atOnce: 1 });
await ask("end", {});
