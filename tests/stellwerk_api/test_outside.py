"""What the outside sees of edge, web and realtime together: addresses, origins, error forms."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from secrets import token_hex
from urllib.parse import urlsplit

import pytest

from embedded import wait_until
from front import Front, running_front, signed_up_at
from full_stack import Client
from jobs_over_http import submit_for_later
from stellwerk.bootstrap import Platform
from stellwerk.settings import Settings

PAGE = "https://app.example.com"
CLIENT = "198.51.100.7"
PROXY = "127.0.0.9"

pytestmark = pytest.mark.xdist_group("outside")  # so that one front is started


@pytest.fixture(scope="module")
def front(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    told = {
        "edge_token": "only-the-edge-knows",
        "trusted_proxies": (f"{PROXY}/32",),
        "cors_origins": (PAGE, "http://[::1]:3000"),
    }
    changed = settings.model_copy(update=told)
    with running_front(changed, tmp_path_factory.mktemp("front")) as running:
        yield running


@pytest.fixture
def ada(front: Front, platform: Platform) -> Client:
    return signed_up_at(front.url, platform)


def asked(url: str, path: str, source: str = "127.0.0.1", **headers: str) -> HTTPResponse:
    """The answer to a request from this address; its body is read."""
    place = urlsplit(url)
    connection = HTTPConnection(
        place.hostname or "", place.port, timeout=60, source_address=(source, 0)
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", f"/api/v1{path}", headers=named)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def logged_address(front: Front, url: str, path: str, source: str, **headers: str) -> str:
    """The address that web's log has for a request."""
    request_id = token_hex(8)
    asked(url, path, source, X_Request_ID=request_id, **headers)
    wait_until(lambda: lines_of(front, request_id))
    return str(json.loads(lines_of(front, request_id)[0])["remote"])


def lines_of(front: Front, request_id: str) -> list[str]:
    """Those of web's log about a request, as far as they are whole."""
    written = front.log("web").rpartition("\n")[0]
    return [line for line in written.splitlines() if request_id in line]


@pytest.mark.parametrize("path", ["/health/live", "/jobs?wait=1"], ids=["web", "realtime"])
def test_a_client_cannot_choose_its_address(front: Front, path: str) -> None:
    forged = {"X_Forwarded_For": "6.6.6.6", "X_Edge_Token": "guessed"}
    assert logged_address(front, front.url, path, "127.0.0.5", **forged) == "127.0.0.5"


@pytest.mark.parametrize("path", ["/health/live", "/jobs?wait=1"], ids=["web", "realtime"])
def test_behind_a_trusted_proxy_the_real_client_counts(front: Front, path: str) -> None:
    chain = f"6.6.6.6, {CLIENT}"
    assert logged_address(front, front.url, path, PROXY, X_Forwarded_For=chain) == CLIENT


@pytest.mark.parametrize("place", ["web_url", "realtime_url"])
def test_who_goes_around_the_edge_is_not_believed(front: Front, place: str) -> None:
    forged = {"X_Forwarded_For": "6.6.6.6", "X_Edge_Token": "guessed"}
    address = logged_address(front, getattr(front, place), "/health/live", "127.0.0.1", **forged)
    assert address == "127.0.0.1"


@pytest.mark.parametrize(
    "path", ["/jobs/{job_id}", "/jobs", "/jobs/{job_id}?wait=1", "/nothing", "/nothing?wait=1"]
)
def test_a_page_of_a_listed_origin_may_read_every_answer(ada: Client, path: str) -> None:
    path = path.format(job_id=submit_for_later(ada))
    answer = ada.request("GET", path, headers={"Origin": PAGE})
    headers = answer.headers
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert headers["Access-Control-Allow-Credentials"] == "true"
    exposed = set(headers["Access-Control-Expose-Headers"].split(", "))
    wanted = {"ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "Link"}
    assert exposed >= wanted | {"X-Request-ID"}
    assert "Origin" in headers["Vary"].split(", ")


def test_a_page_may_follow_a_stream(ada: Client) -> None:
    job_id = submit_for_later(ada)
    wanted = {"Origin": PAGE, "Accept": "text/event-stream"}
    answer = ada.request("GET", f"/jobs/{job_id}/events", headers=wanted, stream=True)
    answer.close()
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com.evil.test",
        "https://app-example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://APP.example.com",
        "null",
        "*",
        ".*",
    ],
)
@pytest.mark.parametrize("wish", ["return=minimal", "wait=1"], ids=["web", "realtime"])
def test_any_other_origin_gets_no_permission(ada: Client, wish: str, origin: str) -> None:
    answer = ada.request("GET", "/jobs", headers={"Origin": origin, "Prefer": wish})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert "Origin" in answer.headers["Vary"].split(", ")


@pytest.mark.parametrize("origin", [PAGE, "http://[::1]:3000"])
def test_a_preflight_is_answered_once_for_hours(ada: Client, origin: str) -> None:
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,idempotency-key,prefer",
    }
    answer = ada.request("OPTIONS", "/users/me", headers=asks)
    assert (answer.status_code, answer.content) == (204, b"")
    headers = answer.headers
    assert headers["Access-Control-Allow-Origin"] == origin
    assert "PATCH" in headers["Access-Control-Allow-Methods"].split(", ")
    allowed = set(headers["Access-Control-Allow-Headers"].lower().split(", "))
    assert allowed >= {"authorization", "idempotency-key", "prefer", "x-csrf-token"}
    assert int(headers["Access-Control-Max-Age"]) >= 3600
    assert "Origin" in headers["Vary"].split(", ")


def test_a_preflight_from_elsewhere_is_granted_nothing(ada: Client) -> None:
    asks = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    answer = ada.request("OPTIONS", "/jobs", headers=asks)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("size_bytes", [33_000, 300_000])
def test_headers_that_are_too_large_are_431_in_the_envelope(ada: Client, size_bytes: int) -> None:
    answer = ada.request("GET", "/jobs", headers={"X-Large": "x" * size_bytes})
    assert answer.status_code == 431
    assert answer.json()["error"]["code"] == "HEADERS_TOO_LARGE"


def test_realtimes_own_refusals_have_both_forms(ada: Client) -> None:
    path = "/jobs/01890000-0000-7000-8000-000000000000?wait=never"
    said = ada.request("GET", path).json()
    assert said["error"]["code"] == "VALIDATION_FAILED"
    answer = ada.request("GET", path, headers={"Accept": "application/problem+json"})
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Vary"].split(", ")[0] == "Accept"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (422, "VALIDATION_FAILED")


def test_the_edge_hands_on_that_a_socket_is_expected(front: Front) -> None:
    answer = asked(front.url, "/ws")
    assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")


def document(front: Front, method: str = "GET", **headers: str) -> HTTPResponse:
    """The edge's answer about the OpenAPI document."""
    place = urlsplit(front.url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, "/api/openapi.json", headers=named)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_head_is_as_long_as_what_it_announces(front: Front, coding: str) -> None:
    answer = document(front, "HEAD", Accept_Encoding=coding)
    assert "Content-Encoding" not in answer.headers
    assert int(answer.headers["Content-Length"]) > 10_000


def test_what_was_compressed_is_not_sent_again_either(front: Front) -> None:
    first = document(front, Accept_Encoding="gzip")
    assert first.headers["Content-Encoding"] == "gzip"
    tag = first.headers["ETag"]
    assert document(front, Accept_Encoding="gzip", If_None_Match=tag).status == 304
