"""The shipped nginx.conf in a real nginx, before the small upstreams that Caddy is tested with."""

import json
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest
import trustme

from embedded import wait_until
from gateways import GatewayProcess, module, running_gateway
from nginx_edge import running_nginx
from stellwerk.stack.ports import free_port
from upstreams import ROUTES, Ports, reaches, upstream

pytestmark = pytest.mark.xdist_group("edge")

PROBLEM = "application/problem+json"
PATIENCE_S = 90


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ports(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    chosen = Ports(free_port(), free_port(), free_port(), free_port())
    with (
        upstream("realtime", chosen.realtime),
        upstream("flower", chosen.flower),
        running_nginx(chosen, authority, tmp_path_factory.mktemp("nginx")),
    ):
        yield chosen


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.create_default_context()
    authority.configure_trust(made)
    return made


@pytest.fixture
def client(ports: Ports, context: ssl.SSLContext) -> Iterator[httpx.Client]:
    url = f"https://127.0.0.1:{ports.edge}"
    with httpx.Client(base_url=url, verify=context, timeout=PATIENCE_S) as made:
        wait_until(lambda: reaches(made))
        yield made


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize(("path", "headers", "who"), ROUTES)
def test_what_lasts_goes_to_realtime_and_all_else_to_web(
    client: httpx.Client, path: str, headers: dict[str, str], who: str
) -> None:
    answer = client.get(path, headers=headers)
    assert (answer.json()["who"], answer.json()["path"]) == (who, path)


@pytest.mark.usefixtures("web")
def test_forwarded_headers_of_the_client_are_overwritten(client: httpx.Client) -> None:
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http", "X-Edge-Token": "guessed"}
    seen = client.get("/api/v1/jobs", headers=forged).json()["headers"]
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "https"
    assert seen["X-Edge-Token"] == "only-the-edge-knows"


@pytest.mark.usefixtures("web")
def test_a_trusted_proxys_word_about_the_client_is_taken(
    ports: Ports, context: ssl.SSLContext
) -> None:
    transport = httpx.HTTPTransport(verify=context, local_address="127.0.0.9")
    with httpx.Client(transport=transport, timeout=PATIENCE_S) as proxy:
        chain = {"X-Forwarded-For": "6.6.6.6, 198.51.100.7"}
        answer = proxy.get(f"https://127.0.0.1:{ports.edge}/api/v1/jobs", headers=chain)
    assert answer.json()["headers"]["X-Forwarded-For"] == "198.51.100.7"


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("accept", ["*/*", PROBLEM])
def test_too_large_a_body_is_413_in_the_form_the_client_likes(
    client: httpx.Client, accept: str
) -> None:
    answer = client.post("/x", content=b"x" * (2**20 + 1), headers={"Accept": accept})
    assert answer.status_code == 413
    said = answer.json()
    if accept == PROBLEM:
        assert answer.headers["content-type"] == PROBLEM
        assert (said["status"], said["code"]) == (413, "PAYLOAD_TOO_LARGE")
    else:
        assert said["error"]["code"] == "PAYLOAD_TOO_LARGE"
        assert said["error"]["request_id"] == answer.headers["x-request-id"]
        assert said["error"]["timestamp"].endswith("Z")


@pytest.mark.usefixtures("web")
def test_headers_that_are_too_large_are_431_in_the_envelope(client: httpx.Client) -> None:
    answer = client.get("/api/v1/jobs", headers={"X-Large": "x" * 40_000})
    assert answer.status_code == 431
    assert answer.json()["error"]["code"] == "HEADERS_TOO_LARGE"


@pytest.mark.usefixtures("web")
def test_an_address_that_is_too_long_is_414_in_the_envelope(client: httpx.Client) -> None:
    answer = client.get("/x?" + "a" * 33_000)
    assert answer.status_code == 414
    assert answer.json()["error"]["code"] == "URI_TOO_LONG"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize(("given", "is_kept"), [("trace-me:1", True), ("a b", False)])
def test_nginxs_own_errors_have_the_requests_id(
    client: httpx.Client, given: str, *, is_kept: bool
) -> None:
    answer = client.post("/x", content=b"x" * (2**20 + 1), headers={"X-Request-ID": given})
    shown = answer.headers["x-request-id"]
    assert (shown == given) == is_kept
    assert answer.json()["error"]["request_id"] == shown


def test_a_web_process_that_is_gone_is_an_envelope_with_retry_after(client: httpx.Client) -> None:
    answer = client.get("/api/v1/jobs")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["error"]["code"] == "UNAVAILABLE"


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize(
    ("path", "is_compressed"), [("/api/v1/jobs", True), ("/api/v1/auth/login", False)]
)
def test_answers_are_compressed_unless_they_hold_secrets(
    client: httpx.Client, path: str, *, is_compressed: bool
) -> None:
    sent = {"Accept-Encoding": "gzip", "X-Filler": "x" * 2000}
    with client.stream("GET", path, headers=sent) as answer:
        assert answer.headers.get("content-encoding") == ("gzip" if is_compressed else None)


@pytest.mark.usefixtures("web")
def test_every_answer_asks_for_https(client: httpx.Client) -> None:
    for content in (b"", b"x" * (2**20 + 1)):
        answer = client.post("/api/v1/jobs", content=content)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.usefixtures("web", "client")
def test_a_body_framed_in_two_ways_is_refused(ports: Ports, context: ssl.SSLContext) -> None:
    request = (
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n"
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    answer = exchanged(ports, context, request)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "MALFORMED_REQUEST"


def test_a_stalled_body_ends_its_request(
    authority: trustme.CA, context: ssl.SSLContext, tmp_path: Path
) -> None:
    strict = Ports(free_port(), free_port(), free_port(), free_port())
    request = b"POST /api/v1/jobs HTTP/1.1\r\nHost: edge\r\nContent-Length: 100\r\n\r\n{"
    with running_nginx(strict, authority, tmp_path, body_s=1):
        assert exchanged(strict, context, request)[:13] in {b"", b"HTTP/1.1 408 "}


def exchanged(ports: Ports, context: ssl.SSLContext, request: bytes) -> bytes:
    """All that comes until the server hangs up."""
    with (
        socket.create_connection(("127.0.0.1", ports.edge), timeout=PATIENCE_S) as bare,
        context.wrap_socket(bare, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture(scope="module")
def gateway(ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with (
        running_gateway(tmp_path_factory.mktemp("gateway"), ports.gateway) as made,
        module("echo") as address,
    ):
        made.gateway.apply(lambda: {"echo": address})
        yield made


@pytest.fixture
def pages(gateway: GatewayProcess, ports: Ports, context: ssl.SSLContext) -> Iterator[httpx.Client]:
    del gateway  # runs
    url = f"https://127.0.0.1:{ports.modules}"
    with httpx.Client(base_url=url, verify=context, timeout=PATIENCE_S) as made:
        yield made


def test_modules_are_reached_without_the_platforms_cookies_and_tokens(pages: httpx.Client) -> None:
    sent = {
        "Cookie": "__Host-stellwerk=token; theirs=1",
        "Authorization": "Bearer token",
        "X-Edge-Token": "guessed",
    }
    answer = pages.get("/echo/page?x=1", headers=sent)
    seen = answer.json()
    assert (seen["path"], seen["headers"]["cookie"]) == ("/page?x=1", "theirs=1")
    assert {"authorization", "x-edge-token"}.isdisjoint(seen["headers"])
    assert seen["headers"]["x-forwarded-proto"] == "https"
    assert "via" not in answer.headers
    assert pages.get("/api/v1/jobs").status_code == 404


def test_modules_take_larger_bodies_than_the_platform(pages: httpx.Client) -> None:
    answer = pages.post("/echo/", content=b"x" * (2 * 2**20))
    assert answer.json()["body_bytes"] == 2 * 2**20


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_request_for_a_module_fails_while_routes_change(
    pages: httpx.Client, gateway: GatewayProcess, method: str
) -> None:
    address = gateway.gateway.routes()["echo"]
    statuses = []
    for number in range(20):
        wanted = {"echo": address, f"other{number}": address}
        with ThreadPoolExecutor() as pool:
            changed = pool.submit(gateway.gateway.apply, partial(dict, wanted))
            while not changed.done():
                statuses.append(pages.request(method, "/echo/").status_code)
        assert changed.result()
    assert set(statuses) == {200}
