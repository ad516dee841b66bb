"""Twilio by emulate, a third party's stand-in for its API and its signed callbacks, on Node."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from node_server import node_server

ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "token-of-tests"  # noqa: S105  of a server in the test
OWN_NUMBER = "+15551234567"


@dataclass(frozen=True, slots=True)
class Twilio:
    """A running stand-in."""

    url: str

    def becomes(self, sid: str, status: str) -> None:
        """Let a call go on."""
        self._post("/_twilio/simulate/call-status", {"CallSid": sid, "Status": status})

    def calls(self) -> list[dict[str, str]]:
        """All that were dialled, the newest first."""
        path = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
        answer = requests.get(self.url + path, auth=(ACCOUNT, TOKEN), timeout=60)
        calls: list[dict[str, str]] = answer.json()["calls"]
        return calls

    def _post(self, path: str, fields: dict[str, str]) -> None:
        answer = requests.post(self.url + path, data=fields, auth=(ACCOUNT, TOKEN), timeout=60)
        assert answer.ok, answer.text


@contextmanager
def running_twilio(folder: Path) -> Iterator[Twilio]:
    """A stand-in on a free port of loopback with one account and one number."""
    seed = folder / "seed.json"
    account = {"sid": ACCOUNT, "auth_token": TOKEN, "friendly_name": "Tests"}
    numbers = [{"phone_number": OWN_NUMBER}]
    seed.write_text(json.dumps({"twilio": {"account": account, "phone_numbers": numbers}}))
    arguments = ["start", "-s", "twilio", "--seed", str(seed)]
    with node_server("emulate/dist/index.js", arguments, folder) as port:
        yield Twilio(f"http://localhost:{port}")
