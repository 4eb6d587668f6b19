"""The Python client of the matrix. The argument is the address of a worker. See clients_test.go for what is printed."""
import json
import sys
import threading
from importlib.metadata import version

import socketio

CLIENT = "python-socketio " + version("python-socketio")
WAYS = {"polling": ["polling"], "WebSocket": ["websocket"], "upgrade": ["polling", "websocket"]}


def start(address, way, nickname):
    """Connects a client, and tells what it does."""
    client = socketio.Client()
    connections = 0

    def tell(step):
        line = json.dumps({"client": CLIENT, "way": way, "nickname": nickname, "step": step})
        sys.stdout.write(line + "\n")  # in one piece, for other threads write too
        sys.stdout.flush()

    def named(taken, *_):
        if taken:
            return
        tell(["name", "SIGTERM", "kill"][connections - 1])
        if connections == 1:
            client.emit("user message", ("hello", {}), callback=lambda answer: answer["ok"] and tell("ack"))
            client.emit("user message", (b"\1\2\3", {}),
                        callback=lambda answer: answer.get("code") == "bad_argument" and tell("binary"))

    @client.event
    def connect():
        nonlocal connections
        connections += 1
        if way != "upgrade" or client.transport() == "websocket":
            if connections == 1:
                tell("connect")
            client.emit("nickname", nickname, callback=named)

    client.connect(address, transports=WAYS[way])
    client.wait()


for number, one in enumerate(WAYS):
    threading.Thread(target=start, args=(sys.argv[1], one, f"py{number}")).start()
