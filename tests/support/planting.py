"""Everything that is done with secrets, well and badly, in a stack where they are planted."""

import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from api import in_an_hour
from embedded import wait_until
from error_reports import events
from full_stack import Client
from mail_server import Received
from planted import Scene

NUL = "\x00"
NUMBER = "number"  # begins the names of those that are planted
MODULE = "secret of a module"  # the same
ORIGINATE = "calls.originate"
PAYLOAD = "what a job was about, which is no secret"
PATIENCE_S = 60.0
CONFIRM = "Confirm your e-mail address"


def use_secrets(scene: Scene) -> None:
    """Do everything that involves a secret, well and badly."""
    signing_in(scene)
    ada = somebody(scene)
    keys_and_tokens(scene, ada)
    webhooks(scene, ada)
    connections(scene, ada)
    bodies_that_are_refused(scene, ada)
    calls(scene)
    operator = scene.operator()
    mails(scene, operator)
    forgotten_passwords(scene)
    modules(scene, operator)
    with suppress(requests.RequestException):
        scene.anybody().request("GET", f"/auth/me?token={scene.planted.new('token in a URL')}")


def signing_in(scene: Scene) -> None:
    """Wrong, malformed and refused."""
    anybody, planted = scene.anybody(), scene.planted
    for name, body in {
        "wrong password": {"email": "eve@example.com", "password": "{}"},
        "password in a wrong form": {"email": "eve@example.com", "password": ["{}"]},
        "password with a NUL": {"email": "eve@example.com", "password": "{}" + NUL},
        "password beside an unknown field": {"email": "a@b.de", "password": "{}", "x": 1},
        "password as an unknown field": {"email": "a@b.de", "password": "x", "{}": 1},
    }.items():
        sent = json.loads(json.dumps(body).replace("{}", planted.new(name)))
        for route in ("/auth/login", "/auth/register"):
            anybody.request("POST", route, json=sent)
    broken = f'{{"email": "eve@example.com", "password": "{planted.new("broken body")}"'
    for route in ("/auth/login", "/auth/register"):
        answer = anybody.request(
            "POST", route, data=broken, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400
    named = {"email": "eve@example.com" + NUL, "password": planted.new("password of nobody")}
    anybody.request("POST", "/auth/register", json={**named, "full_name": NUL})


def somebody(scene: Scene) -> Client:
    """Registered and signed in with a planted password."""
    client = scene.anybody()
    account = {"email": "ada@example.com", "password": scene.planted.new("password")}
    client.expect(202, "POST", "/auth/register", json=account)
    client.expect(202, "POST", "/auth/register", json=account)
    answer = client.expect(200, "POST", "/auth/login", json=account)
    token = scene.planted.note("access token", answer["access_token"])
    if "refresh_token" in answer:
        scene.planted.note("refresh token", answer["refresh_token"])
    client.session.headers["Authorization"] = f"Bearer {token}"
    return client


def keys_and_tokens(scene: Scene, ada: Client) -> None:
    """Good, wrong, revoked, in headers, URLs and sockets."""
    planted = scene.planted
    made = ada.expect(201, "POST", "/api-keys", json={"name": "a program"})
    key = planted.note("API key", made["key"])
    program = scene.anybody()
    program.session.headers["Authorization"] = f"Bearer {key}"
    program.expect(200, "GET", "/auth/me")
    program.expect(200, "GET", "/jobs")
    ada.request("DELETE", f"/api-keys/{made['id']}")
    program.expect(401, "GET", "/auth/me")
    stranger = scene.anybody()
    for scheme in ("Bearer ", "Basic ", "Token ", ""):
        secret = planted.new(f"{scheme or 'bare '}token of nobody's")
        stranger.session.headers["Authorization"] = f"{scheme}{secret}"
        stranger.request("GET", "/jobs")
        stranger.request("POST", "/jobs", json={"operation": "diagnostics.echo", "payload": {}})
    address = scene.url.replace("http", "ws", 1) + "/api/v1/ws"
    for token in (planted.secrets["access token"], planted.new("token of nobody's in a socket")):
        with suppress(WebSocketException), connect(address, open_timeout=PATIENCE_S) as socket:
            socket.send(json.dumps({"type": "auth", "token": token}))
            socket.recv(timeout=PATIENCE_S)


def webhooks(scene: Scene, ada: Client) -> None:
    """Made, delivered after a failure, replaced, and refused."""
    url = f"{scene.receiver.url}/hook"
    made = ada.expect(201, "POST", "/webhook-endpoints", json={"url": url})
    scene.planted.note("webhook secret", made["secret"].removeprefix("whsec_"))
    made_for_callbacks = ada.request("POST", "/webhook-endpoints/callback-secret").json()
    scene.planted.note("callback secret", made_for_callbacks["secret"].removeprefix("whsec_"))
    secret = scene.planted.new("secret in a callback's URL")
    body = {"operation": "diagnostics.echo", "payload": {"message": "hi"}}
    for callback in (f"{url}?key={secret}", f"http://192.0.2.1:9/?key={secret}"):
        ada.request("POST", "/jobs", json={**body, "callback_url": callback})
    job = ada.expect(202, "POST", f"/webhook-endpoints/{made['id']}/test")["job_id"]
    ada.ended(job)
    wait_until(lambda: len(scene.receiver.requests) > 2, timeout_s=60)


def connections(scene: Scene, ada: Client) -> None:
    """Made in a browser, looked at, made again, and parted with; and an answer that is wrong."""
    for turn in ("first", "second"):
        asked = ada.expect(201, "POST", "/connections/nextcloud", json={})["authorization_url"]
        sent = parse_qs(urlsplit(asked).query)
        scene.cloud.redirect_urls[:] = sent["redirect_uri"]
        back = scene.cloud.allow(asked)
        brought = parse_qs(urlsplit(back).query)
        scene.planted.note(f"state of the {turn} connection", sent["state"][0])
        scene.planted.note(f"code of the {turn} connection", brought["code"][0])
        held = {cookie.name: str(cookie.value) for cookie in ada.session.cookies}
        for number, value in enumerate(held.values()):
            scene.planted.note(f"cookie {number} of the {turn} connection", value)
        answer = ada.session.get(back, headers=as_header(held), timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text
        note_tokens(scene, turn)
    ada.session.get(back, headers=as_header(held), timeout=PATIENCE_S)  # a state is good for once
    wrong = scene.planted.new("state of nobody's"), scene.planted.new("code of nobody's")
    ada.request("GET", "/auth/nextcloud/callback?state={}&code={}".format(*wrong))
    ada.expect(200, "GET", "/connections")
    assert ada.request("DELETE", "/connections/nextcloud").ok
    wait_until(lambda: not scene.cloud.held(), timeout_s=60)


def as_header(cookies: dict[str, str]) -> dict[str, str]:
    """Secure ones as well, which a browser sends to loopback without TLS, too."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def note_tokens(scene: Scene, turn: str) -> None:
    """Those that the provider gave out."""
    for number, (access, refresh) in enumerate(scene.cloud.held()):
        scene.planted.note(f"OAuth access token {number}, {turn}", access)
        scene.planted.note(f"OAuth refresh token {number}, {turn}", refresh)


def a_bug(scene: Scene, operator: Client) -> None:
    """In a handler, about what it was given."""
    operator.ended(operator.submit("diagnostics.fail", {"kind": "bug", "message": PAYLOAD}))
    wait_until(lambda: "RuntimeError" in str(events(scene.tracker)))


def bodies_that_are_refused(scene: Scene, ada: Client) -> None:
    """By the schema, and by Postgres."""
    planted = scene.planted
    for name, value in {"a NUL": NUL, "a lone surrogate": "\ud800"}.items():
        data = {"password": planted.new(f"payload beside {name}"), "more": value}
        body = {"operation": "diagnostics.echo", "payload": {"message": "hi", "data": data}}
        ada.request("POST", "/jobs", json=body)
        ada.request("POST", "/jobs/bulk", json={"jobs": [body]})
        ada.request("POST", "/jobs", json={**body, "queue": "nowhere"})


def calls(scene: Scene) -> None:
    """Placed, followed, found by number, written wrongly, refused, and hung up."""
    ada, password = scene.anybody(), scene.planted.secrets["password"]
    account = {"email": "ada@example.com", "password": password, "audience": "telephony"}
    token = ada.expect(200, "POST", "/auth/login", json=account)["access_token"]
    scene.planted.note("access token for calls", token)
    ada.session.headers["Authorization"] = f"Bearer {token}"
    called, rung, shown = (  # the simulator answers 1010, and talks until it is told to end
        scene.planted.note(f"{NUMBER} {what}", digits)
        for what, digits in (
            ("called", "493047111010"),
            ("rung first", "493047121010"),
            ("shown", "493047110837"),
        )
    )
    wanted = {"to": f"+{called}", "from": f"+{rung}", "caller_id": f"+{shown}"}
    call = ada.expect(202, "POST", "/call", json=wanted)["call_id"]
    ada.expect(200, "GET", f"/call-status/{call}")
    assert ada.expect(200, "GET", f"/call-history?number=%2B{called}")["items"]
    job = ada.expect(202, "POST", "/jobs", json={"operation": ORIGINATE, "payload": wanted})
    national = scene.planted.note(f"{NUMBER} written as at home", "03047110848")
    denied = scene.planted.note(f"{NUMBER} of a satellite", "881647110859")
    for wrong in (f"{national}\n", f"+{denied}", f"+{called}x", f"+{called}{NUL}", [called]):
        body = {**wanted, "to": wrong}
        assert ada.request("POST", "/call", json=body).status_code == 422
        ada.request("POST", "/jobs", json={"operation": ORIGINATE, "payload": body})
    ada.request("GET", f"/call-history?number={national}&state=nowhere")
    ada.request("POST", f"/jobs/{job['job_id']}/cancel")
    ada.request("POST", f"/call/{call}/hangup")
    assert ada.ended(job["job_id"])["status"] == "cancelled"


def modules(scene: Scene, operator: Client) -> None:
    """To be installed in an hour, with a secret; unknown, and in a wrong form."""
    planted = scene.planted
    operator.expect(200, "GET", "/repository/modules")  # from now on it is known what there is
    for name, status, module in (("later", 202, "clock"), ("unknown", 404, "nobodys")):
        secrets = {"TOKEN": planted.new(f"{MODULE} that is {name}")}
        payload = {"module_name": module, "environment": {"A": "1"}, "secrets": secrets}
        body = {"operation": "modules.install", "payload": payload, "run_at": in_an_hour()}
        operator.expect(status, "POST", "/jobs", json=body)
    for wrong in ([planted.new(f"{MODULE} in a list")], {"A": [planted.new(f"{MODULE} beside")]}):
        body = {"module_name": "clock", "secrets": wrong}
        operator.expect(422, "POST", "/repository/install", json=body)


def mails(scene: Scene, operator: Client) -> None:
    """Sent, refused, and to a server that does not let us in any more."""
    wait_until(lambda: CONFIRM in subjects(scene))  # which that server would keep from coming
    token = operator.session.headers["Authorization"]
    scene.planted.note("operator's access token", str(token).removeprefix("Bearer "))
    a_bug(scene, operator)
    for name, to in {"a mail": "ada@example.com", "a refused mail": "refused@example.com"}.items():
        operator.ended(operator.submit("email.send", letter(scene, name, to)))
    right, scene.mails.login = scene.mails.login, ("stellwerk", "another")
    job = operator.submit("email.send", letter(scene, "a mail of one who may not sign in"))
    assert operator.ended(job)["error"]["code"] == "PROVIDER_UNAVAILABLE"
    scene.mails.login = right
    wrong = letter(scene, "a mail that is refused") | {"language": "fr"}
    body = {"operation": "email.send", "payload": wrong}
    operator.expect(422, "POST", "/jobs", json=body)


def forgotten_passwords(scene: Scene) -> None:
    """Asked for, followed with a wrong token, and with one that is not there."""
    anybody, wrong = scene.anybody(), scene.planted.new("reset token of nobody's")
    new = {"token": wrong, "password": scene.planted.new("new password beside a wrong token")}
    anybody.request("POST", "/auth/password-reset", json={"email": "ada@example.com"})
    wait_until(lambda: {"Choose a new password", CONFIRM} <= subjects(scene))
    for number, received in enumerate(scene.mails.inbox):
        for token in re.findall(r"token=([\w.-]+)", plain(received)):
            scene.planted.note(f"token in mail {number}", token)
            anybody.request("GET", f"/auth/verify-email?token={token}")
    anybody.request("POST", "/auth/password-reset/confirm", json=new)
    anybody.request("GET", f"/auth/verify-email?token={wrong}")
    anybody.request("POST", "/auth/refresh", json={"refresh_token": wrong})


def plain(received: Received) -> str:
    """Its text."""
    body = received.message.get_body(("plain",))
    return str(body.get_content()) if body else ""


def subjects(scene: Scene) -> set[str]:
    """Of the mails that came to Ada."""
    to_ada = [one for one in scene.mails.inbox if one.recipients == ("ada@example.com",)]
    return {str(one.message["Subject"]) for one in to_ada}


def letter(scene: Scene, name: str, to: str = "ada@example.com") -> dict[str, Any]:
    """The payload of one with a planted token."""
    token = scene.planted.new(f"reset token in {name}")
    link = f"https://stellwerk.example.com/reset?token={token}"
    return {
        "to": to,
        "template": "reset_password",
        "variables": {"link": link, "valid_h": 1},
    }
