"""What headers pass through the gateway, in both directions."""

import json
import socket
from contextlib import suppress

import httpx
import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from embedded import wait_until
from gateways import ANSWER_HEADERS, GatewayProcess, joined, talking

COOKIES = [
    ("stellwerk=token; theirs=1", "theirs=1"),
    ("theirs=1; stellwerk=token", "theirs=1"),
    ("a=1; __Host-stellwerk=token; __Host-stellwerk-csrf=x.y; b=2", "a=1; b=2"),
    ("stellwerk-csrf=x.y;stellwerk=a;a=1", "a=1"),
    ("mystellwerk=1; a=stellwerk=2", "mystellwerk=1; a=stellwerk=2"),
    ("stellwerk=token", ""),
]


@pytest.mark.parametrize(("sent", "arrived"), COOKIES)
def test_cookies_of_the_platform_do_not_reach_a_module(
    client: httpx.Client, sent: str, arrived: str
) -> None:
    seen = client.get("/echo/", headers={"Cookie": sent}).json()["headers"]
    assert seen.get("cookie", "") == arrived


@pytest.mark.parametrize(
    "header", ["Authorization", "Proxy-Authorization", "X-API-Key", "X-CSRF-Token", "X-Edge-Token"]
)
def test_no_other_credential_of_the_platform_does(client: httpx.Client, header: str) -> None:
    seen = client.get("/echo/", headers={header: "Bearer token"}).json()["headers"]
    assert header.lower() not in seen


def answered(client: httpx.Client, *headers: tuple[str, str]) -> httpx.Headers:
    """What arrives of headers that a module answers with."""
    return client.get("/echo/", headers={ANSWER_HEADERS: json.dumps(headers)}).headers


@pytest.mark.parametrize(
    "cookie",
    [
        "stellwerk=planted; Path=/",
        "__Host-stellwerk=planted; Path=/; Secure",
        "stellwerk-csrf=planted",
        "  stellwerk=planted",
        "=stellwerk=planted",
        "STELLWERK=planted",
    ],
)
def test_a_module_cannot_plant_a_cookie_of_the_platform(client: httpx.Client, cookie: str) -> None:
    assert not answered(client, ("Set-Cookie", cookie))["set-cookie"]


@pytest.mark.parametrize(
    ("given", "arrived"),
    [
        ("a=1", "a=1; Path=/echo/"),
        ("a=1; Path=/; HttpOnly", "a=1; HttpOnly; Path=/echo/"),
        ("a=1; path=/clock/; Domain=example.com", "a=1; Path=/echo/"),
        ("a=path; Max-Age=1", "a=path; Max-Age=1; Path=/echo/"),
    ],
)
def test_a_modules_cookies_are_for_its_own_addresses(
    client: httpx.Client, given: str, arrived: str
) -> None:
    assert answered(client, ("Set-Cookie", given))["set-cookie"] == arrived


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Clear-Site-Data", '"cookies"'),
        ("Service-Worker-Allowed", "/"),
        ("Strict-Transport-Security", "max-age=1"),
        ("Alt-Svc", 'h2=":1"'),
        ("NEL", "{}"),
        ("Report-To", "{}"),
        ("Trailer", "X-Later"),
        ("X-Accel-Redirect", "/.edge/json/503"),
    ],
)
def test_a_module_says_nothing_about_others_addresses(
    client: httpx.Client, header: str, value: str
) -> None:
    assert header not in answered(client, (header, value))


HOSTILE = [
    ("Set-Cookie", "stellwerk=planted; Path=/"),
    ("Set-Cookie", "theirs=1; Path=/"),
    ("Clear-Site-Data", '"cookies"'),
]


def test_neither_does_it_with_the_handshake_of_a_socket(process: GatewayProcess) -> None:
    def with_headers(_: ServerConnection, __: Request, response: Response) -> None:
        for header, value in HOSTILE:
            response.headers[header] = value

    with talking(process, process_response=with_headers) as url, joined(url) as talk:
        assert talk.response
        headers = talk.response.headers
        talk.send("through?")
        assert talk.recv(timeout=60) == "through?"
    assert "Clear-Site-Data" not in headers
    assert [cookie for cookie in headers.get_all("Set-Cookie") if cookie] == [
        "theirs=1; Path=/talk/"
    ]


def test_neither_does_it_with_a_hint_before_its_answer(process: GatewayProcess, echo: str) -> None:
    process.gateway.apply(lambda: {"echo": echo})
    asked = f"GET /echo/hint HTTP/1.1\r\nHost: x\r\n{ANSWER_HEADERS}: {json.dumps(HOSTILE)}\r\n"
    port = int(process.url.rpartition(":")[2])
    said: list[str] = []

    def is_answered() -> bool:
        """Asked again like all others, for what was dropped as the routes changed."""
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as connection,
            connection.makefile("rb") as answers,
            suppress(ConnectionError),
        ):
            connection.sendall(f"{asked}Connection: close\r\n\r\n".encode())
            said[:] = answers.read().decode().split("\r\n\r\n")
        return bool(said) and bool(said[0])

    wait_until(is_answered)
    hint, answer, _ = said
    for head, status in ((hint, "103"), (answer, "200")):
        assert head.startswith(f"HTTP/1.1 {status} ")
        assert "Clear-Site-Data" not in head
        assert "planted" not in head
        assert head.count("theirs=1; Path=/echo/\r\n") == 1


def test_modules_have_cautious_headers_unless_they_choose_their_own(client: httpx.Client) -> None:
    found = answered(client)
    assert found["x-content-type-options"] == "nosniff"
    assert (found["referrer-policy"], found["x-frame-options"]) == ("same-origin", "SAMEORIGIN")
    found = answered(client, ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"))
    assert (found["referrer-policy"], found["x-frame-options"]) == ("no-referrer", "DENY")
