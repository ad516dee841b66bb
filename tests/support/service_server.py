"""The one server that services of tests run; what it does, it is asked for by HTTP.

Standard library alone, and little of that: it runs wherever modules run, and starts at once.
"""

import json
import os
import signal
import socket
import sys
import time


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  its log


def crash() -> str:
    os._exit(3)


def hide() -> str:
    """A child in a session of its own that ignores SIGTERM and leaves its parent."""
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    return "hidden"


def multiply() -> str:
    """A fork bomb."""
    while True:
        try:
            os.fork()
        except OSError:
            continue


def eat() -> str:
    eaten = []
    while True:
        eaten.append(bytearray(os.urandom(1024)) * 8192)
        time.sleep(0.005)


def deafen() -> str:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return "deaf"


class Server:
    """Answers one request after another."""

    def __init__(self) -> None:
        self.status = 200
        self.deeds = {"crash": crash, "hide": hide, "multiply": multiply, "eat": eat}
        self.deeds |= {"deafen": deafen, "sicken": self.sicken, "tell": self.tell}

    def serve(self) -> None:
        place = (os.environ["HOST"], int(os.environ["PORT"]))
        with socket.create_server(place) as listening:
            say("listening")
            while True:
                connection, _ = listening.accept()
                with connection:
                    self.answer(connection)

    def answer(self, connection: socket.socket) -> None:
        words = connection.recv(4096).decode().split(" ", 2)
        deed, _, said = words[1].strip("/").partition("/") if len(words) > 1 else ("", "", "")
        if said:
            say(said)
        status = self.status if deed == "health" else 200
        body = self.deeds.get(deed, lambda: "")()
        head = f"HTTP/1.1 {status} So\r\nConnection: close\r\nContent-Length: {len(body)}"
        connection.sendall(f"{head}\r\n\r\n{body}".encode())

    def sicken(self) -> str:
        self.status = 503
        return "ill"

    def tell(self) -> str:
        """What it was given, and what it may do."""
        found = {"environment": dict(os.environ), "uid": os.getuid(), "groups": os.getgroups()}
        writes = {name: os.access(name, os.W_OK) for name in (os.environ["DATA_DIR"], ".")}
        return json.dumps(found | {"pid": os.getpid(), "writes": list(writes.values())})


if __name__ == "__main__":
    if os.environ.get("CRASHES"):
        say("these are its last words")
        sys.exit(7)
    Server().serve()
