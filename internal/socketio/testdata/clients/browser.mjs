// Serves a page that runs the cases of cases.mjs in a browser, with the client of web/client and the official one
// beside each other. The argument is the port of the server of clients_test.go. Prints the page's address, and then
// what compare.mjs prints.
import { createServer } from "node:http";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Relay } from "./relay.mjs";

const [, , port, wanted = ""] = process.argv;
const scripts = { // by path
  "own/": "../../../../web/client/",
  "official.mjs": "node_modules/socket.io-client/dist/socket.io.esm.min.js",
  "": "./",
};
const page = `<!doctype html><script type="importmap">{"imports": {"node:assert/strict": "/assert.mjs"}}</script>
<script type="module" src="/page.mjs?port=${port}&wanted=${encodeURIComponent(wanted)}"></script>`;
const relays = [];

// answers are those to the page's requests, by the first part of the path.
const answers = {
  result({ name, error }) {
    console.log(JSON.stringify({ name, error }));
  },

  async relay({ id, call, way }) {
    if (id === undefined) return { id: relays.push(await new Relay(port).start()) - 1, address: relays.at(-1).address };
    await relays[id][call](way);
    return {};
  },

  end: () => process.exit(0),
};

async function read(path) {
  const [prefix, folder] = Object.entries(scripts).find(([prefix]) => path.startsWith(prefix));
  return readFile(new URL(folder + path.slice(prefix.length), import.meta.url));
}

const web = createServer(async (request, response) => {
  const path = new URL(request.url, "http://a").pathname.slice(1);
  try {
    if (request.method === "POST") {
      const body = Buffer.concat(await request.toArray());
      response.end(JSON.stringify(await answers[path](JSON.parse(body)) ?? {}));
    } else if (path === "") {
      response.setHeader("Content-Type", "text/html").end(page);
    } else {
      response.setHeader("Content-Type", "text/javascript").end(await read(path));
    }
  } catch (error) {
    response.writeHead(404).end(String(error));
  }
});
web.listen(0, "127.0.0.1");
await once(web, "listening");
console.log(JSON.stringify({ page: `http://127.0.0.1:${web.address().port}/` }));
