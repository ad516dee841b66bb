"""Google by emulate, a third party's stand-in for its OAuth and APIs, run on Node with our seed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests

from node_server import node_server

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
        page = requests.get(authorization_url, timeout=60)
        assert (page.status_code, email in page.text) == (200, True), page.text
        asked = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
        answer = requests.post(
            f"{self.url}/o/oauth2/v2/auth/callback",
            data=asked | {"email": email},
            allow_redirects=False,
            timeout=60,
        )
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def knows(self, access_token: str) -> bool:
        """Whether an access token is good."""
        answer = requests.get(
            f"{self.url}/oauth2/v2/userinfo",
            headers={"Authorization": f"Bearer {access_token}"},
            timeout=60,
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
    arguments = ["start", "-s", "google", "--seed", str(seed)]
    with node_server("emulate/dist/index.js", arguments, folder) as port:
        yield Google(f"http://localhost:{port}")
