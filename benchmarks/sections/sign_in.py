"""Signing in with a password, renewing the session, and looking oneself up."""

from collections.abc import Iterator, Mapping
from secrets import token_hex
from typing import Any

import orjson

from benchmarks import ledger
from benchmarks.distribution import milliseconds
from benchmarks.exchange import Request
from benchmarks.sender import Sender, sender
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from stellwerk.identity.model import User
from stellwerk.identity.passwords import hashed

WARM_UP = 5
JSON = {"Content-Type": "application/json"}


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Percentiles of one client that sends its requests one after another."""
    ledger.clear(stage)
    account = _account(stage)
    with stage.running("web"), sender(stage.web_url) as client:
        login = _post("login", account)
        for _ in range(WARM_UP):
            client.send(login)
        said = orjson.loads(client.send(login).body)
        bearer = {"Authorization": f"Bearer {said['access_token']}"}
        who_am_i = Request("GET", "/api/v1/auth/me", bearer)
        return {
            "login": milliseconds([client.timed(login) for _ in range(sizes.sign_ins)]),
            "refresh": milliseconds(list(_renewals(client, said["refresh_token"], sizes))),
            "me": milliseconds([client.timed(who_am_i) for _ in range(sizes.sign_ins)]),
        }


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table."""
    shown = {
        "`POST /auth/login` (Argon2id: 19 MiB, 2 rounds)": figures["login"],
        "`POST /auth/refresh`": figures["refresh"],
        "`GET /auth/me`": figures["me"],
    }
    return [
        "| one client, ms | p50 | p95 |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {one['p50_ms']:.1f} | {one['p95_ms']:.1f} |" for name, one in shown.items()),
    ]


def _account(stage: Stage) -> dict[str, str]:
    """A new one; it stands only in the ledger, since a registration has mails written."""
    name, password = token_hex(6), token_hex(10)
    account = {"email": f"{name}@example.com", "password": password}
    with stage.platform.runtime.sessions.begin() as session:
        session.add(User(email=account["email"], username=name, password_hash=hashed(password)))
    return account


def _renewals(client: Sender, refresh_token: str, sizes: Sizes) -> Iterator[float]:
    for _ in range(sizes.sign_ins):
        answer = client.send(_post("refresh", {"refresh_token": refresh_token}))
        refresh_token = orjson.loads(answer.body)["refresh_token"]
        yield client.took_s


def _post(what: str, body: Mapping[str, str]) -> Request:
    return Request("POST", f"/api/v1/auth/{what}", JSON, orjson.dumps(body))
