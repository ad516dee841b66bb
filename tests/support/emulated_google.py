"""Google by emulate, a third party's stand-in for its OAuth and APIs, run on Node with our seed."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests

from embedded import wait_until
from npm_packages import installed, node
from stellwerk.stack.ports import free_port

START_LIMIT_S = 30.0
CLIENT_ID = "client.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-secret-of-tests"  # noqa: S105  of a server in the test
EMAIL = "ada@example.com"
OTHER_EMAIL = "ben@example.com"


@dataclass(frozen=True, slots=True)
class Google:
    """A running stand-in."""

    url: str

    def allow(self, authorization_url: str, email: str = EMAIL) -> str:
        """Where the browser is sent after that user said yes on the page."""
        page = requests.get(authorization_url, timeout=5)
        assert (page.status_code, email in page.text) == (200, True), page.text
        asked = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
        answer = requests.post(
            f"{self.url}/o/oauth2/v2/auth/callback",
            data=asked | {"email": email},
            allow_redirects=False,
            timeout=5,
        )
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def knows(self, access_token: str) -> bool:
        """Whether an access token is good."""
        answer = requests.get(
            f"{self.url}/oauth2/v2/userinfo",
            headers={"Authorization": f"Bearer {access_token}"},
            timeout=5,
        )
        return answer.ok and bool(answer.json()["email"] == EMAIL)


@contextmanager
def running_google(folder: Path, redirect_url: str) -> Iterator[Google]:
    """A stand-in on a free port of loopback that knows one client and two users."""
    seed = folder / "seed.json"
    client = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "name": "Stellwerk",
        "redirect_uris": [redirect_url],
    }
    users = [{"email": email, "name": "Somebody"} for email in (EMAIL, OTHER_EMAIL)]
    seed.write_text(json.dumps({"google": {"users": users, "oauth_clients": [client]}}))
    port = free_port()
    program = str(installed("emulate/dist/index.js"))
    arguments = ["start", "-p", str(port), "-s", "google", "--seed", str(seed)]
    with (folder / "emulate.log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603  fixed arguments
            [str(node()), program, *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        wait_until(lambda: server.poll() is not None or _listens(port), timeout_s=START_LIMIT_S)
        assert server.poll() is None, (folder / "emulate.log").read_text()[-1000:]
        yield Google(f"http://localhost:{port}")
    finally:
        server.terminate()
        server.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("localhost", port)) == 0
