"""The gateway of modules: `python -m stellwerk.stack.gateway` becomes Caddy, with its last routes.

Caddy writes down each configuration it is given. What is taken of that is the routes alone: the
rest is made anew at each start, since a new version or another port may ask for it.
"""

import json
import os
import socket
import subprocess
import sys
import sysconfig
from contextlib import suppress
from os import pathsep
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stellwerk.errors import PortTaken
from stellwerk.providers.gateway.routes import MODULE_ROUTES_ID
from stellwerk.settings import Settings, environment, settings
from stellwerk.shipped import shipped
from stellwerk.stack.home import write_json
from stellwerk.stack.production import refuse_unfit

SERVER = "modules"
BACKLOG = 2048

Json = dict[str, Any]


def main() -> None:
    """Give this process to Caddy."""
    given = settings()
    refuse_unfit(given, serves=False)
    folder = given.home.absolute() / "gateway"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    listener = _listener(given.gateway_port)
    env = {**environment(), **_variables(given, folder, listener)}
    env["PATH"] = sysconfig.get_path("scripts") + pathsep + env.get("PATH", "")
    start = folder / "start.json"
    write_json(start, _with_routes(_adapted(env), last_routes(folder)), mode=0o600)
    _clear(given.gateway_url())
    os.execvpe("caddy", ["caddy", "run", "--config", str(start)], env)  # noqa: S606, S607  no shell; beside us


def last_routes(folder: Path) -> list[Json]:
    """Those that the last gateway of this folder led along; none where that cannot be told."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        last = json.loads((folder / "caddy" / "autosave.json").read_bytes())
        routes = last["apps"]["http"]["servers"][SERVER]["routes"][0]["handle"][0]["routes"]
        return list(routes)
    return []


def admin_address(url: str) -> str:
    """The admin API's URL as Caddy writes addresses; a socket is opened by our user alone."""
    parts = urlsplit(url)
    return f"unix/{parts.path}|0600" if parts.scheme == "unix" else parts.netloc


def _listener(port: int) -> int:
    """A descriptor that Caddy takes over.

    It listens on through every change of the routes. With sockets of its own Caddy would open
    another for each configuration, and lose what waits in the former one's queue.
    """
    try:
        opened = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    except OSError as exc:
        sentence = f"Port {port} of the gateway cannot be opened ({exc.strerror})."
        raise PortTaken(f"{sentence} Choose another: STELLWERK_GATEWAY_PORT") from exc
    opened.set_inheritable(True)
    return opened.detach()


def _variables(given: Settings, folder: Path, listener: int) -> dict[str, str]:
    return {
        "GATEWAY_ADMIN": admin_address(given.gateway_url()),
        "GATEWAY_LISTENER": str(listener),
        "GATEWAY_TRUSTED": " ".join(map(str, given.edge_networks)),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }


def _adapted(env: dict[str, str]) -> Json:
    """The shipped configuration as JSON, which routes can be added to."""
    config = str(shipped("deploy/Gateway.caddyfile"))
    ran = subprocess.run(  # noqa: S603  our own file
        ["caddy", "adapt", "--config", config, "--adapter", "caddyfile"],  # noqa: S607  beside us
        env=env,
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(json.loads(ran.stdout))


def _with_routes(config: Json, routes: list[Json]) -> Json:
    """With the modules' routes in front: what none of them takes comes to the shipped ones."""
    http = config["apps"]["http"]
    (server,) = http["servers"].values()
    holder = {"@id": MODULE_ROUTES_ID, "handler": "subroute", "routes": routes}
    server["routes"].insert(0, {"handle": [holder]})
    http["servers"] = {SERVER: server}
    return config


def _clear(url: str) -> None:
    """Make room for the admin API's socket: one that was killed leaves its own behind."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        Path(parts.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(parts.path).unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        main()
    except PortTaken as exc:
        sys.exit(exc.message)
