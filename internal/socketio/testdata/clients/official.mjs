// The application of clients_test.go on the official server.
import { createServer } from "node:http";
import { once } from "node:events";
import { Server } from "socket.io";

export async function officialServer(options) {
  // It is asked for other paths too. With a time-out a client might send on a connection that is being closed.
  const web = createServer({ keepAliveTimeout: 0 }, (_, response) => response.writeHead(404).end());
  const io = new Server(web, options);
  const tries = new Map();
  io.on("connection", (socket) => {
    socket.emit("auth", socket.handshake.auth, socket.handshake.query.room ?? "", null);
    socket.on("message", (...args) => socket.emit("message-back", ...args));
    socket.on("message-with-ack", (...args) => args.pop()(...args));
    socket.on("join", (room, ack) => { socket.join(room); ack(); });
    socket.on("to all", (room, text) => { io.to(room).emit("news", text); socket.emit("sent", null); });
    socket.on("to others", (room, text) => { socket.to(room).emit("news", text); });
    socket.on("is there", (id, ack) => ack(io.of("/").sockets.has(id)));
    socket.on("disconnect me", () => socket.disconnect());
    socket.on("burst", (n) => { for (let i = 0; i < n; i++) socket.emit("tick", i); });
    socket.on("flaky", (key, n, ack) => {
      const count = (tries.get(key) ?? 0) + 1;
      tries.set(key, count);
      if (count >= n) ack(count);
    });
    socket.on("ask", (...args) => socket.emit("question", ...args, (...answer) => socket.emit("answered", ...answer)));
  });
  io.of("/other").on("connection", (socket) => socket.emit("auth", socket.handshake.auth));
  io.of("/guarded").use((socket, next) => {
    if (socket.handshake.auth.token === "right") return next();
    next(Object.assign(new Error("not you"), { data: { code: 42 } }));
  });
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  return { port: web.address().port, close: () => io.close() };
}
