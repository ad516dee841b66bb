"""Whatever is sent, the answer is the envelope with the right status: no 500, no HTML."""

from typing import Any

import orjson
import pytest

from api import UNKNOWN_ID, ApiUser, error_of

JSON = {"content_type": "application/json"}
ECHO = b'{"operation":"diagnostics.echo","payload":%s}'


def echo(payload: bytes) -> bytes:
    return ECHO % payload


MALFORMED: dict[str, bytes] = {
    "not json": b"{",
    "a lone surrogate": echo(rb'{"message":"\ud800"}'),
    "NaN": echo(b'{"data":NaN}'),
    "Infinity": echo(b'{"data":-Infinity}'),
    "a number beyond doubles": echo(b'{"data":1e999}'),
    "an integer of 400 digits": echo(b'{"data":' + b"9" * 400 + b"}"),
    "not UTF-8": echo(b'{"message":"\xff"}'),
    "nested 5,000 deep": echo(b'{"data":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "two documents": b"{}{}",
}
INVALID: dict[str, tuple[bytes, str]] = {
    "a list": (b"[]", ""),
    "a string": (b'"x"', ""),
    "null": (b"null", ""),
    "nothing": (b"", "operation"),
    "no operation": (b"{}", "operation"),
    "a wrong type": (b'{"operation":7}', "operation"),
    "a payload that is no object": (b'{"operation":"diagnostics.echo","payload":[]}', "payload"),
    "an unknown field": (b'{"operation":"diagnostics.echo","colour":"red"}', "colour"),
    "an unknown field in the payload": (echo(b'{"colour":"red"}'), "payload.colour"),
    "a wrong type in the payload": (echo(b'{"message":7}'), "payload.message"),
    "a NUL": (echo(rb'{"message":"a\u0000b"}'), "payload.message"),
    "a NUL in a key": (echo(rb'{"data":{"a\u0000":1}}'), "payload.data"),
    "nested 200 deep": (
        echo(b'{"data":' + b"[" * 200 + b"]" * 200 + b"}"),
        "payload.data" + ".0" * 63,
    ),
    "a time without a zone": (
        b'{"operation":"diagnostics.echo","run_at":"2030-01-01T00:00:00"}',
        "run_at",
    ),
    "a time that is none": (b'{"operation":"diagnostics.echo","run_at":"soon"}', "run_at"),
    "a callback": (b'{"operation":"diagnostics.echo","callback_url":"http://a"}', "callback_url"),
    "a key for a parent that is not named": (
        b'{"operation":"diagnostics.echo","parent_key":"first"}',
        "parent_key",
    ),
    "an endless tag": (
        orjson.dumps({"operation": "diagnostics.echo", "tags": ["x" * 65]}),
        "tags.0",
    ),
}


ENDS_LINES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "a user's name": ("PATCH", "/users/me", {"username": "ada.l\n"}, "username"),
    "a key's scope": ("POST", "/api-keys", {"name": "x", "scopes": ["read\n"]}, "scopes.0"),
    "an endpoint's operation": (
        "POST",
        "/webhook-endpoints",
        {"url": "https://hooks.example.com", "operations": ["videos.*\n"]},
        "operations.0",
    ),
}


@pytest.mark.parametrize("case", ENDS_LINES)
def test_a_name_does_not_end_with_a_new_line(ada: ApiUser, case: str) -> None:
    method, path, body, field = ENDS_LINES[case]
    assert error_of(ada.send(method, path, json=body), 422)["details"]["field"] == field


TOO_FAR = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z")


@pytest.mark.parametrize("moment", TOO_FAR)
def test_a_time_that_only_some_can_read_is_422_and_stored_nowhere(
    ada: ApiUser, moment: str
) -> None:
    job = {"operation": "diagnostics.echo", "run_at": moment}
    assert error_of(ada.post("/jobs", job), 422)["details"]["field"] == "run_at"
    bulk = error_of(ada.post("/jobs/bulk", {"jobs": [job]}), 422)
    assert bulk["details"]["field"] == "jobs.0.run_at"
    schedule = {"name": "far", "operation": "diagnostics.echo", "starts_at": moment}
    for timing in ({"interval_s": 60}, {"cron": "* * * * *"}):
        refused = error_of(ada.post("/schedules", {**schedule, **timing}), 422)
        assert refused["details"]["field"] == "starts_at"
    error_of(ada.post("/api-keys", {"name": "far", "expires_at": moment}), 422)
    for name in ("from", "to"):
        error_of(ada.get("/jobs", query_string={name: moment}), 422)
    assert ada.get("/jobs").get_json()["items"] == []


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_body_that_cannot_be_read_is_400(ada: ApiUser, body: bytes) -> None:
    error = error_of(ada.post("/jobs", data=body, **JSON), 400)
    assert error["code"] == "MALFORMED_REQUEST"


@pytest.mark.parametrize(("body", "field"), INVALID.values(), ids=INVALID.keys())
def test_a_body_that_breaks_a_rule_is_422_and_names_the_field(
    ada: ApiUser, body: bytes, field: str
) -> None:
    error = error_of(ada.post("/jobs", data=body, **JSON), 422)
    assert error["code"] == "VALIDATION_FAILED"
    assert error["details"]["errors"][0]["field"] == field
    assert error["details"]["field"] == field
    assert error["details"]["reason"]


@pytest.mark.parametrize("number", [2**63 - 1, 2**64 - 1, 2**64, -(2**63), 1e308, 10**300])
def test_huge_numbers_are_stored_as_numbers(ada: ApiUser, number: float) -> None:
    body = {"operation": "diagnostics.echo", "payload": {"data": number}}
    text = orjson.dumps(body) if -(2**63) <= number < 2**64 else repr(body).replace("'", '"')
    assert ada.post("/jobs", data=text, **JSON).status_code == 202


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "",
        "multipart/form-data",
        "application/vnd.api+json",
        "application/json; charset=latin-1",
    ],
)
def test_another_content_type_is_415(ada: ApiUser, content_type: str) -> None:
    answer = ada.post("/jobs", data=echo(b"{}"), content_type=content_type)
    assert error_of(answer, 415)["code"] == "UNSUPPORTED_MEDIA_TYPE"


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"'])
def test_a_json_type_with_the_charset_it_has_is_fine(ada: ApiUser, charset: str) -> None:
    content_type = f"application/json; charset={charset}"
    answer = ada.post("/jobs", data=echo(b"{}"), content_type=content_type)
    assert answer.status_code == 202


@pytest.mark.parametrize("path", ["/jobs", "/auth/login", "/jobs/x/cancel", "/nothing"])
def test_a_body_of_2_mib_is_413(ada: ApiUser, path: str) -> None:
    answer = ada.post(path, data=b" " * 2 * 1024 * 1024, **JSON)
    if path.startswith(("/jobs/x", "/nothing")):
        error_of(answer, 404)
        return
    assert error_of(answer, 413)["code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/jobs", 405),
        ("PUT", "/auth/login", 405),
        ("BREW", "/jobs", 405),
        ("GET", "/nothing/here", 404),
        ("GET", "/" + "x" * 50_000, 404),
        ("GET", "/jobs/not-a-uuid", 404),
        ("GET", "/jobs/not-a-uuid/logs", 404),
        ("GET", "//jobs", 404),
        ("GET", "/operations/%00", 404),
        ("GET", "/operations/" + "x" * 10_000, 404),
        ("GET", "/jobs?cursor=%00", 422),
        ("GET", "/jobs?cursor=!!!", 422),
        ("GET", "/jobs?cursor=bm90LWEtdXVpZA", 422),
        ("GET", "/jobs?limit=0", 422),
        ("GET", "/jobs?limit=many", 422),
        ("GET", "/jobs?status=odd", 422),
        ("GET", "/jobs?from=yesterday", 422),
        ("GET", "/videos/99999999999999999999", 404),
        ("GET", "/channels/2147483648", 404),
        ("GET", "/channels/?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk", 422),
    ],
)
def test_a_request_that_fits_nothing_is_refused(
    ada: ApiUser, method: str, path: str, status: int
) -> None:
    error_of(ada.send(method, path), status)


@pytest.mark.parametrize("path", ["/jobs", "/videos/", "/channels/", f"/jobs/{UNKNOWN_ID}"])
def test_a_query_parameter_that_there_is_not_is_refused_by_name(ada: ApiUser, path: str) -> None:
    error = error_of(ada.get(f"{path}?stauts=failed"), 422)
    assert error["details"]["field"] == "stauts"


def test_an_address_that_is_too_long_is_414(ada: ApiUser) -> None:
    answer = ada.get("/jobs?tag=" + "x" * 20_000)
    assert error_of(answer, 414)["code"] == "URI_TOO_LONG"


def test_405_names_the_methods_there_are(ada: ApiUser) -> None:
    answer = ada.send("DELETE", "/jobs")
    assert error_of(answer, 405)["code"] == "METHOD_NOT_ALLOWED"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_both_forms_of_a_path_answer_without_a_redirect(ada: ApiUser) -> None:
    for path in ("/jobs", "/jobs/", "/channels", "/channels/"):
        assert ada.get(path).status_code == 200


def test_options_and_head_are_empty_and_not_html(ada: ApiUser) -> None:
    options = ada.send("OPTIONS", "/jobs")
    assert (options.status_code, options.data) == (200, b"")
    assert "text/html" not in options.headers.get("Content-Type", "")
    head = ada.send("HEAD", "/operations")
    assert (head.status_code, head.data) == (200, b"")
    assert int(head.headers["Content-Length"]) > 100


def test_an_error_is_a_problem_document_for_who_asks_for_it(ada: ApiUser) -> None:
    answer = ada.get("/nothing", headers={"Accept": "application/problem+json"})
    assert answer.content_type == "application/problem+json"
    problem = orjson.loads(answer.data)
    assert (problem["status"], problem["title"], problem["code"]) == (404, "Not Found", "NOT_FOUND")
    assert problem["detail"]


PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        (f"{PROBLEM}, application/json", "application/json"),
        (f"application/json, {PROBLEM};q=0.9", "application/json"),
        (f"application/json;q=0.9, {PROBLEM}", PROBLEM),
        (f"{PROBLEM};q=0.2, */*;q=0.1", PROBLEM),
        (f"{PROBLEM};q=0", "application/json"),
        (f"{PROBLEM};q=0, */*", "application/json"),
        (f"text/html, {PROBLEM.upper()}", PROBLEM),
        ("application/json;q=0, application/*", PROBLEM),
        (f"x-{PROBLEM}", "application/json"),
        (f"text/html;note='{PROBLEM}'", "application/json"),
    ],
)
def test_the_form_of_an_error_is_what_the_client_likes_best(
    ada: ApiUser, accept: str, content_type: str
) -> None:
    answer = ada.get("/nothing", headers={"Accept": accept})
    assert (answer.status_code, answer.content_type) == (404, content_type)
    assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize("given", ["abc-123", "a" * 128])
def test_a_well_formed_request_id_is_kept(nobody: ApiUser, given: str) -> None:
    answer = nobody.get("/health/live", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, "<script>", "ä"])
def test_any_other_request_id_is_replaced(nobody: ApiUser, given: str) -> None:
    answer = nobody.get("/health/live", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] != given
    assert len(answer.headers["X-Request-ID"]) == 36


def test_every_answer_has_the_security_headers(nobody: ApiUser) -> None:
    for path in ("/health/live", "/nothing"):
        headers = nobody.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"


def test_the_request_id_travels_into_the_job(ada: ApiUser, platform: Any) -> None:
    from stellwerk.jobs.model import Job  # noqa: PLC0415  only here

    body = {"operation": "diagnostics.echo"}
    answer = ada.post("/jobs", body, headers={"X-Request-ID": "trace-me"})
    with platform.runtime.sessions() as session:
        assert session.get(Job, answer.get_json()["job_id"]).request_id == "trace-me"


def test_a_body_of_exactly_1_mib_is_read(ada: ApiUser) -> None:
    body = echo(b"{}").ljust(1024 * 1024)
    assert ada.post("/jobs", data=body, **JSON).status_code == 202
    error_of(ada.post("/jobs", data=body + b" ", **JSON), 413)
