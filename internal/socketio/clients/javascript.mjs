// The JavaScript clients of the matrix. The argument is the address of a worker. See clients_test.go for what is
// printed.
import { createRequire } from "node:module";

const require = createRequire(new URL("../testdata/clients/package.json", import.meta.url));
const { WebSocket } = require("ws");
globalThis.WebSocket ??= WebSocket; // Node 20 has none
const own = await import("../../../web/client/index.js");

const clients = {
  "web/client": own.io,
  "socket.io-client 4.8.3": require("socket.io-client").io,
  "socket.io-client 4.0.2": require("socket.io-client-4.0").io,
  "socket.io-client 3.1.3": require("socket.io-client-3").io,
  "socket.io-client 2.5.0": require("socket.io-client-2"),
};
const ways = { polling: ["polling"], WebSocket: ["websocket"], upgrade: ["polling", "websocket"] };
const address = process.argv[2];

let count = 0;
for (const [client, io] of Object.entries(clients)) {
  for (const [way, transports] of Object.entries(ways)) {
    const nickname = `js${++count}`;
    const tell = (step) => console.log(JSON.stringify({ client, way, nickname, step }));
    const socket = io(address, { forceNew: true, transports });
    let connections = 0;
    socket.on("connect", async () => {
      const number = ++connections;
      while (way === "upgrade" && socket.io.engine.transport.name !== "websocket") {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (number !== connections) return;
      }
      if (number === 1) tell("connect");
      socket.emit("nickname", nickname, (taken) => {
        if (taken) return;
        tell(["name", "SIGTERM", "kill"][number - 1]);
        if (number > 1) return;
        socket.emit("user message", "hello", {}, (answer) => { if (answer.ok) tell("ack"); });
        socket.emit("user message", Buffer.from([1, 2, 3]), {}, (answer) => {
          if (answer.code === "bad_argument") tell("binary");
        });
      });
    });
  }
}
