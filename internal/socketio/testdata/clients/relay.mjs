// A TCP relay between a client and a server, which the cases cut, stop and make refuse WebSockets.
import { connect, createServer } from "node:net";
import { once } from "node:events";

export class Relay {
  #connections = new Set();
  #server;
  #ways = new Set();

  constructor(port) {
    this.upstream = port;
  }

  get address() {
    return `http://127.0.0.1:${this.port}`;
  }

  async start() {
    this.#server = createServer((client) => this.#relay(client));
    this.#server.listen(this.port ?? 0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = this.#server.address().port;
    return this;
  }

  #relay(client) {
    if (!this.#server.listening) return client.destroy(); // it was accepted before stop
    const server = connect(this.upstream, "127.0.0.1");
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#connections.add(socket);
      socket.setNoDelay(true).on("error", () => {}).on("close", () => {
        this.#connections.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (data) => {
      if (this.#ways.has("stalled")) return;
      if (this.#ways.has("refusesWebSockets") && /^GET [^]*upgrade: websocket/i.test(data.toString("latin1"))) {
        client.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      } else server.write(data);
    });
    server.on("data", (data) => client.write(data));
  }

  // make has it refuse WebSockets ("refusesWebSockets"), or pass nothing on ("stalled").
  make(way) {
    this.#ways.add(way);
  }

  // cut ends every connection, as a network does.
  cut() {
    for (const socket of this.#connections) socket.destroy();
  }

  // stop refuses connections until start.
  async stop() {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }
}
