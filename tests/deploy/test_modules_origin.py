"""The edge's second origin in front of the real gateway: modules' pages, and nothing of ours."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from caddy_edge import asking, running_edge
from embedded import wait_until
from gateways import GatewayProcess, joined, module, running_gateway, talking
from upstreams import Ports

pytestmark = pytest.mark.xdist_group("edge")

CHANGES = 50
PATIENCE_S = 90


@pytest.fixture(scope="module")
def process(ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_gateway(tmp_path_factory.mktemp("gateway"), ports.gateway) as made:
        yield made


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with module("echo") as address:
        yield address


@pytest.fixture(scope="module")
def origin(ports: Ports) -> str:
    return f"http://127.0.0.1:{ports.modules}"


@pytest.fixture
def client(process: GatewayProcess, echo: str, origin: str) -> Iterator[httpx.Client]:
    process.gateway.apply(lambda: {"echo": echo})
    with httpx.Client(base_url=origin, timeout=PATIENCE_S) as made:
        wait_until(lambda: reaches(made))
        yield made


def reaches(client: httpx.Client) -> bool:
    try:
        return client.get("/echo/").is_success
    except httpx.TransportError:
        return False


def test_a_module_is_reached_without_the_platforms_cookies_and_tokens(client: httpx.Client) -> None:
    sent = {
        "Cookie": "stellwerk=token; stellwerk-csrf=a.b; theirs=1",
        "Authorization": "Bearer token",
        "X-API-Key": "key",
        "X-CSRF-Token": "a.b",
        "X-Edge-Token": "guessed",
    }
    answer = client.get("/echo/page?x=1", headers=sent)
    seen = answer.json()
    assert (seen["who"], seen["path"], seen["headers"]["cookie"]) == (
        "echo",
        "/page?x=1",
        "theirs=1",
    )
    assert {name.lower() for name in sent} & set(seen["headers"]) == {"cookie"}
    assert {"server", "via"}.isdisjoint(answer.headers)


def test_a_module_knows_who_asks_and_by_which_address(client: httpx.Client, origin: str) -> None:
    seen = client.get("/echo/", headers={"X-Forwarded-For": "6.6.6.6"}).json()["headers"]
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-host"] == seen["host"] == origin.removeprefix("http://")
    assert (seen["x-forwarded-proto"], seen["x-forwarded-prefix"]) == ("http", "/echo")


def test_the_platforms_own_addresses_are_not_there(client: httpx.Client) -> None:
    for path in ("/", "/api/v1/health/live", "/flower/", "/ws"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_large_bodies_pass_and_larger_ones_are_refused(client: httpx.Client, ports: Ports) -> None:
    passed = client.post("/echo/", content=b"x" * (2 * 2**20))
    assert passed.json()["body_bytes"] == 2 * 2**20
    with closing(HTTPConnection("127.0.0.1", ports.modules, timeout=PATIENCE_S)) as connection:
        connection.putrequest("POST", "/echo/")
        connection.putheader("Content-Length", str(2**27))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.load(answer)["error"]["message"] == "The body is larger than 100 MiB."


def test_an_answer_arrives_as_it_is_written_and_may_last_longer_than_bodies_may(
    client: httpx.Client, ports: Ports, tmp_path: Path
) -> None:
    del client  # the gateway knows the module
    limits = {"EDGE_READ_BODY": "1s", "STELLWERK_GATEWAY_PORT": str(ports.gateway)}
    with running_edge(tmp_path, **limits) as strict, asking(strict):
        # Where the machine kept the body from coming in time, it is sent again.
        wait_until(lambda: takes_a_while(f"http://127.0.0.1:{strict.modules}"))


def takes_a_while(origin: str) -> bool:
    """Whether a whole answer of one and a half seconds came."""
    try:
        with httpx.stream("POST", f"{origin}/echo/slow?75", content=b"x" * 9) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "0"
            return [int(line) for line in lines] == list(range(1, 75))
    except (httpx.TransportError, StopIteration):
        return False


def test_sockets_pass(client: httpx.Client, process: GatewayProcess, origin: str) -> None:
    del client  # the edge is up
    with talking(process), joined(origin.replace("http", "ws") + "/talk/") as talk:
        talk.send("hello")
        assert talk.recv(timeout=PATIENCE_S) == "hello"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_request_of_a_loop_fails_while_routes_change(
    client: httpx.Client, process: GatewayProcess, echo: str, method: str
) -> None:
    changed = threading.Event()

    def ask_again_and_again() -> list[int]:
        statuses = []
        with httpx.Client(base_url=client.base_url, timeout=PATIENCE_S) as asking:
            while not changed.is_set():
                content = b"x" * 3000 if method == "POST" else None
                answer = asking.request(method, "/echo/", content=content)
                statuses.append(answer.status_code)
        return statuses

    with module("other") as other, ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask_again_and_again) for _ in range(2)]
        try:
            for number in range(CHANGES):
                address = (other, echo)[number % 2]
                assert process.gateway.apply(partial(dict, echo=address))
        finally:
            changed.set()
        statuses = [status for one in asked for status in one.result()]
        assert len(statuses) > CHANGES / 10
        assert set(statuses) == {200}


def test_a_page_waits_for_a_gateway_that_was_killed(
    client: httpx.Client, process: GatewayProcess
) -> None:
    process.child.kill()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(client.get, "/echo/")
        process.start_again()
        answer = asked.result()
    assert answer.json()["who"] == "echo"


def test_a_gateway_that_is_gone_is_told_in_the_envelope(
    client: httpx.Client, process: GatewayProcess
) -> None:
    process.child.kill()
    answer = client.post("/echo/")
    process.start_again()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["error"]["code"] == "UNAVAILABLE"
