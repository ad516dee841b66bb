"""Submissions that are answered before Flask's dispatch differ in nothing from those it answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from flask import Flask, request_started
from marshmallow import ValidationError
from prometheus_client import REGISTRY
from sqlalchemy import Engine, func, select, text
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from api import API, ApiUser, error_of, in_an_hour
from stellwerk.bootstrap import Platform
from stellwerk.jobs.model import Job
from stellwerk.live import keys
from stellwerk_api.jobs.quick_submissions import fields_of
from stellwerk_api.jobs.schemas import BulkBody, SingleBody, SubmissionBody

ECHO = {"operation": "diagnostics.echo", "payload": {"message": "hello"}}
NAMES = [column.name for column in Job.__table__.columns]
BREAK = text("""
    CREATE SEQUENCE insertions;
    CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM nextval('insertions'), pg_terminate_backend(pg_backend_pid());
        RETURN NEW;
    END $$;
    CREATE TRIGGER break_off BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION break_off();
""")
MEND = text("""
    DROP TRIGGER break_off ON jobs; DROP FUNCTION break_off(); DROP SEQUENCE insertions;
""")
FAMILIES = ("parent", "parent_key")
PLAIN = "application/json"
BY_FLASK = "application/json; charset=utf-8"  # unusual, and means the same


@contextmanager
def dispatched(application: Flask) -> Iterator[list[str]]:
    """Notes of the requests that reach Flask."""
    seen: list[str] = []

    def note(_: Flask, **__: Any) -> None:
        seen.append("one")

    with request_started.connected_to(note, application):
        yield seen


@pytest.fixture(params=["token", "key"])
def user(platform: Platform, ada: ApiUser, request: pytest.FixtureRequest) -> ApiUser:
    """Somebody whom Redis knows."""
    who = ada if request.param == "token" else ada.with_key(scopes=["diagnostics.*"])
    sent(who, ECHO)
    platform.live_client.redis.set(keys.SESSIONS_SWEPT, "1", ex=60)
    return who


def sent(
    user: ApiUser, body: object, content_type: str = PLAIN, headers: dict[str, str] | None = None
) -> TestResponse:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    more = {"X-Request-ID": "submit-1", **(headers or {})}
    return user.post("/jobs", data=data, content_type=content_type, headers=more)


def without_ids(answer: TestResponse) -> tuple[str, dict[str, str], str]:
    job_id = answer.get_json()["job_id"]
    headers = {name: value.replace(job_id, "ID") for name, value in answer.headers.items()}
    return answer.status, headers, answer.text.replace(job_id, "ID")


@pytest.mark.parametrize(
    "body",
    [
        ECHO,
        {"operation": "diagnostics.sleep", "queue": "long_low", "tags": ["a"]},
        {"operation": "diagnostics.echo", "run_at": in_an_hour(), "unique_key": None},
    ],
    ids=["plain", "with options", "for later"],
)
def test_a_quick_answer_and_flasks_are_the_same_header_by_header(
    application: Flask, user: ApiUser, body: dict[str, Any]
) -> None:
    if user.credentials["Authorization"].startswith("Bearer swk_"):
        body = {**body, "operation": "diagnostics.echo", "queue": "short_low"}
    with dispatched(application) as seen:
        quick = sent(user, body)
        assert not seen, "it was left to Flask"
        flasks = sent(user, body, BY_FLASK)
        assert seen
    assert quick.status_code == 202
    assert without_ids(quick) == without_ids(flasks)
    job = user.client.get(f"{API}/jobs/{quick.get_json()['job_id']}", headers=user.credentials)
    assert job.status_code in {200, 403}


@pytest.mark.parametrize(
    "body",
    [
        ECHO,
        {"operation": "diagnostics.echo", "payload": {}},
        {"operation": "diagnostics.echo"},
        {"payload": {}},
        {"operation": "no.such", "payload": {}},
        {"operation": "x" * 81, "payload": {}},
        {"operation": 7, "payload": {}},
        {"operation": "diagnostics.echo", "payload": []},
        {"operation": "diagnostics.echo", "payload": None},
        {**ECHO, "queue": "short_low", "tags": ["a"], "unique_key": "daily"},
        {**ECHO, "run_at": in_an_hour(), "callback_url": "https://a.example"},
        {**ECHO, "colour": "red"},
        [],
    ],
)
def test_a_body_is_read_as_the_routes_schema_reads_it(body: Any) -> None:
    """Those members that only the route knows are not given."""
    not_given = dict.fromkeys(FAMILIES)
    by_route, quickly = read(SingleBody().load, body), read(fields_of, body)
    assert {**not_given, **by_route} == {**not_given, **quickly}
    assert read(SubmissionBody().load, body) == quickly
    in_bulk = read(BulkBody().load, {"jobs": [body]})
    assert in_bulk.get("jobs") == (None if "refused" in quickly else [quickly])


def read(load: Callable[[Any], Any], body: object) -> dict[str, Any]:
    """The fields, or what is wrong with them."""
    try:
        return dict(load(body))
    except ValidationError as refused:
        return {"refused": refused.messages}


def test_every_operation_has_a_name_that_the_schema_takes(platform: Platform) -> None:
    for operation in platform.runtime.registry:
        assert read(SingleBody().load, {"operation": operation.name})["operation"]


def test_members_that_only_the_route_knows_are_left_to_flask() -> None:
    assert set(SingleBody().fields) - set(SubmissionBody().fields) == set(FAMILIES)
    for name in FAMILIES:
        with pytest.raises(ValidationError):
            fields_of({**ECHO, name: None})


def test_a_quick_job_has_the_same_row(platform: Platform, ada: ApiUser, application: Flask) -> None:
    sent(ada, ECHO)
    platform.live_client.redis.set(keys.SESSIONS_SWEPT, "1", ex=60)
    with dispatched(application) as seen:
        quick, flasks = (sent(ada, ECHO, kind).get_json()["job_id"] for kind in (PLAIN, BY_FLASK))
        assert len(seen) == 1
    own = {"id", "run_at", "created_at", "published_at"}
    with platform.runtime.sessions() as session:
        first, second = (
            {name: getattr(session.get_one(Job, job_id), name) for name in NAMES}
            for job_id in (quick, flasks)
        )
    assert {name: first[name] for name in first.keys() - own} == {
        name: second[name] for name in second.keys() - own
    }
    assert (first["owner_id"], first["request_id"]) == (ada.user["id"], "submit-1")


def test_a_quick_answer_is_logged_and_measured_like_flasks(
    application: Flask, user: ApiUser
) -> None:
    before = measured()
    with dispatched(application) as seen, capture_logs() as lines:
        sent(user, ECHO)
        sent(user, ECHO, BY_FLASK)
    assert len(seen) == 1
    quick, flasks = ({**line, "duration_ms": 0} for line in lines if line["event"] == "request")
    assert quick == flasks
    assert (quick["route"], quick["request_id"]) == ("/api/v1/jobs", "submit-1")
    assert measured() == before + 2


def measured() -> float:
    labels = {"route": "/api/v1/jobs", "method": "POST", "status": "202"}
    name = "stellwerk_http_request_duration_seconds_count"
    return REGISTRY.get_sample_value(name, labels) or 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "MALFORMED_REQUEST"),
        (b"[]", 422, "VALIDATION_FAILED"),
        ({"operation": "no.such"}, 404, "OPERATION_UNKNOWN"),
        ({"operation": "housekeeping.purge"}, 403, "NOT_PERMITTED"),
        ({**ECHO, "queue": "media"}, 422, "VALIDATION_FAILED"),
        ({**ECHO, "payload": {"message": 7}}, 422, "VALIDATION_FAILED"),
        (
            b'{"operation":"diagnostics.echo","payload":{"message":"\\u0000"}}',
            422,
            "VALIDATION_FAILED",
        ),
        ({**ECHO, "unique_key": "held"}, 409, "DUPLICATE_JOB"),
    ],
)
def test_what_is_refused_is_refused_by_flask_and_stores_nothing(
    platform: Platform, ada: ApiUser, body: object, status: int, code: str
) -> None:
    ada.submit(unique_key="held")
    platform.live_client.redis.set(keys.SESSIONS_SWEPT, "1", ex=60)
    assert error_of(sent(ada, body), status)["code"] == code
    with platform.runtime.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1


def test_nobody_and_a_key_for_something_else_are_refused(ada: ApiUser, nobody: ApiUser) -> None:
    error_of(sent(nobody, ECHO), 401)
    for scopes in (["read"], ["videos.*"]):
        key = ada.with_key(scopes=scopes)
        for _ in range(2):  # the second time Redis knows it
            error_of(sent(key, ECHO), 403)


@pytest.mark.parametrize("name", ["Idempotency-Key", "Origin"])
def test_a_header_that_changes_the_answer_is_flasks(
    application: Flask, user: ApiUser, name: str
) -> None:
    with dispatched(application) as seen:
        assert sent(user, ECHO, headers={name: "https://a"}).status_code == 202
    assert seen


@pytest.fixture
def breaking(platform: Platform) -> Iterator[Engine]:
    """Postgres ends the connection within each insertion of a job, and counts them."""
    with platform.engine.begin() as connection:
        connection.execute(BREAK)
    yield platform.engine
    with platform.engine.begin() as connection:
        connection.execute(MEND)


def test_a_submission_whose_connection_was_lost_is_not_tried_once_more(
    ada: ApiUser, breaking: Engine, platform: Platform
) -> None:
    ada.get("/jobs")
    platform.live_client.redis.set(keys.SESSIONS_SWEPT, "1", ex=60)

    answer = sent(ada, ECHO)

    assert error_of(answer, 503)["code"] == "UNAVAILABLE"
    assert answer.headers["Retry-After"] == "2"
    with breaking.connect() as connection:
        assert connection.scalar(text("SELECT last_value FROM insertions")) == 1
