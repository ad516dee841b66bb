"""The shipped Caddyfile in a real Caddy, before two small upstreams that say what they got."""

import json
import subprocess
import sysconfig
import threading
from collections.abc import Iterator

import httpx
import pytest

from caddy_edge import asking, running_edge
from stellwerk.settings import environment
from stellwerk.shipped import shipped
from upstreams import ROUTES, Ports, upstream

pytestmark = pytest.mark.xdist_group("edge")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """An edge that gives up on answers, and on who is gone, after a second."""
    folder = tmp_path_factory.mktemp("impatient")
    with running_edge(folder, "1s", EDGE_ANSWER="1s") as chosen:
        yield chosen


@pytest.fixture
def hasty(impatient: Ports) -> Iterator[httpx.Client]:
    with asking(impatient) as made:
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
    headers = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    seen = client.get("/api/v1/jobs", headers=headers).json()["headers"]
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "http"


@pytest.mark.usefixtures("web")
def test_answers_do_not_say_what_serves_them(client: httpx.Client) -> None:
    answer = client.get("/api/v1/jobs")
    assert {"server", "via"}.isdisjoint(answer.headers)


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("size_bytes", [2**20 + 1, 2 * 2**20, 20 * 2**20])
def test_too_large_a_body_gets_the_envelope(client: httpx.Client, size_bytes: int) -> None:
    answer = client.post("/api/v1/jobs", content=b"x" * size_bytes)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["code"] == "PAYLOAD_TOO_LARGE"
    assert error["request_id"] == answer.headers["x-request-id"]
    assert error["timestamp"].endswith("Z")


@pytest.mark.usefixtures("web")
def test_a_body_of_unknown_length_is_bounded_too(client: httpx.Client) -> None:
    answer = client.post("/api/v1/jobs", content=(b"x" * 65536 for _ in range(32)))
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.usefixtures("web")
def test_a_body_of_1_mib_passes(client: httpx.Client) -> None:
    answer = client.post("/api/v1/jobs", content=b"x" * 2**20)
    assert answer.json()["body_bytes"] == 2**20


def test_a_web_process_that_is_gone_is_an_envelope_with_retry_after(hasty: httpx.Client) -> None:
    answer = hasty.get("/api/v1/jobs")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["error"]["code"] == "UNAVAILABLE"
    assert {"server", "via"}.isdisjoint(answer.headers)


def test_an_answer_that_does_not_begin_is_given_up_in_the_envelope(
    hasty: httpx.Client, impatient: Ports
) -> None:
    with upstream("web", impatient.web):
        answer = hasty.post("/api/v1/never")
    assert (answer.status_code, answer.headers["retry-after"]) == (504, "2")
    assert answer.json()["error"]["code"] == "UNAVAILABLE"


PROBLEM = "application/problem+json"


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PROBLEM, PROBLEM),
        ("*/*", "application/json"),
        (f"{PROBLEM}, application/json", "application/json"),
        (f"application/json;q=0.9, {PROBLEM}", PROBLEM),
        (f"{PROBLEM};q=0.2, */*;q=0.1", PROBLEM),
        (f"{PROBLEM};q=0, */*", "application/json"),
        ("application/json;q=0, application/*", PROBLEM),
        ("{{.Nonsense}}, ,;;q=x", "application/json"),
    ],
)
def test_the_edges_own_errors_have_the_form_the_client_likes_best(
    client: httpx.Client, accept: str, content_type: str
) -> None:
    answer = client.post("/x", content=b"x" * (2**20 + 1), headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (413, content_type)
    said = answer.json()
    if content_type == PROBLEM:
        assert (said["status"], said["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert said["title"] == "Request Entity Too Large"
    else:
        assert said["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert "Accept" in answer.headers["vary"]


@pytest.mark.usefixtures("web")
def test_an_address_that_is_too_long_is_414_in_the_envelope(client: httpx.Client) -> None:
    assert client.get("/x?" + "a" * 16_000).status_code == 200
    answer = client.get("/x?" + "a" * 17_000)
    assert answer.status_code == 414
    assert answer.json()["error"]["code"] == "URI_TOO_LONG"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize(
    ("given", "is_kept"), [("trace-me:1", True), ('a"b', False), ("x" * 129, False), ("", False)]
)
def test_the_edges_own_errors_have_the_requests_id(
    client: httpx.Client, given: str, *, is_kept: bool
) -> None:
    answer = client.post("/x", content=b"x" * (2**20 + 1), headers={"X-Request-ID": given})
    shown = answer.headers["x-request-id"]
    assert (shown == given) == is_kept
    assert answer.json()["error"]["request_id"] == shown
    assert len(shown) == (len(given) if is_kept else 36)


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize(
    ("path", "is_compressed"),
    [
        ("/api/v1/jobs", True),
        ("/api/v1/auth/login", False),
        ("/api/v1/auth/session", False),
        ("/api/auth/login", False),
        ("/auth", False),
        ("/authors", True),
        ("/api/v1/api-keys", False),
        ("/api/v1/api-keys/", False),
        ("/api/v1/webhook-endpoints/1/rotate-secret", False),
    ],
)
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_answers_are_compressed_unless_they_hold_secrets(
    client: httpx.Client, path: str, coding: str, *, is_compressed: bool
) -> None:
    sent = {"Accept-Encoding": coding, "X-Filler": "x" * 2000}
    with client.stream("GET", path, headers=sent) as answer:
        assert ("content-encoding" in answer.headers) == is_compressed
        if is_compressed:
            assert answer.headers["content-encoding"] == coding


def test_a_request_during_a_restart_waits_rather_than_fails(
    client: httpx.Client, ports: Ports
) -> None:
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(client.get("/x").status_code))
    thread.start()
    thread.join(0.5)
    assert not answers
    with upstream("web", ports.web):
        thread.join(90)
    assert answers == [200]


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answered_request_keeps_its_connection(client: httpx.Client, method: str) -> None:
    answers = [client.request(method, "/api/v1/jobs", content=b"{}") for _ in range(2)]
    assert not [answer for answer in answers if "connection" in answer.headers]
    streams = [answer.extensions["network_stream"] for answer in answers]
    assert streams[0] is streams[1]


def test_the_edge_has_no_admin_api_unless_it_is_asked_for() -> None:
    env = {name: value for name, value in environment().items() if name != "CADDY_ADMIN"}
    caddy, config = f"{sysconfig.get_path('scripts')}/caddy", str(shipped("deploy/Caddyfile"))
    command = [caddy, "adapt", "--adapter", "caddyfile", "--config", config]
    ran = subprocess.run(command, env=env, check=True, capture_output=True)  # noqa: S603  our own
    assert json.loads(ran.stdout)["admin"]["disabled"]
