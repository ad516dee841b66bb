import re
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text

from api import ApiUser, error_of
from embedded import fresh_database
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.clock import utc_now
from stellwerk.jobs.model import OwedEnd
from stellwerk.live import keys
from stellwerk.settings import Settings
from stellwerk.stack.ports import free_port
from stellwerk_api.app import create_app

SCRAPE_TOKEN = "only-for-tests-scrape"  # noqa: S105  of a throw-away platform

# Due for long, and of a version that no worker knows yet.
_RUNNING = text("""
    UPDATE jobs SET status = 'running', lease_until = now() + interval '1 minute' WHERE id = :id
""")
_LEFT_ALONE = text("UPDATE jobs SET run_at = now() - interval '2 minutes', operation_version = 99")

_COMPLETED_AFTER_8_S = text("""
    UPDATE jobs SET status = 'completed',
        started_at = now() - make_interval(secs => :ended_ago_s + 8),
        finished_at = now() - make_interval(secs => :ended_ago_s)
    WHERE id = :id
""")


def parts_of(answer: object) -> dict[str, str]:
    return {part["name"]: part["status"] for part in answer.get_json()["parts"]}  # type: ignore[attr-defined]  # TestResponse


def test_a_whole_platform_is_ready(nobody: ApiUser) -> None:
    for path in ("/health", "/health/ready", "/status"):
        answer = nobody.get(path)
        assert answer.status_code == 200
        assert answer.get_json()["status"] == "ok"
        assert set(parts_of(answer)) == {"postgres", "schema", "workers", "dispatcher", "redis"}


def test_health_stands_at_the_root_too(nobody: ApiUser) -> None:
    for path in ("/health", "/health/live", "/health/ready", "/", "/status", "/version"):
        assert nobody.client.get(path).status_code == 200


def test_the_index_leads_everywhere(nobody: ApiUser) -> None:
    links = nobody.get("/").get_json()["links"]
    for path in (links["openapi"], links["docs"], links["redoc"], links["health"]):
        assert nobody.client.get(path).status_code == 200


def test_the_version_is_told(nobody: ApiUser) -> None:
    said = nobody.get("/version").get_json()
    assert re.match(r"\d+\.\d+", said["version"])
    assert said["api"] == "v1"


def test_due_jobs_that_nobody_takes_are_a_degraded_part(
    platform: Platform, ada: ApiUser, nobody: ApiUser
) -> None:
    ada.submit()
    with platform.engine.begin() as connection:
        connection.execute(_LEFT_ALONE)
    answer = nobody.get("/health/ready")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
    assert parts_of(answer)["workers"] == "degraded"


def test_a_low_queue_that_waits_for_the_other_is_no_degraded_part(
    platform: Platform, ada: ApiUser, nobody: ApiUser
) -> None:
    ada.submit(queue="short_low")
    with platform.engine.begin() as connection:
        connection.execute(_LEFT_ALONE)
    assert parts_of(nobody.get("/health/ready"))["workers"] == "degraded"
    running = ada.submit()
    with platform.engine.begin() as connection:
        connection.execute(_RUNNING, {"id": running})
    assert parts_of(nobody.get("/health/ready"))["workers"] == "ok"


def test_an_older_schema_is_not_ready(platform: Platform, nobody: ApiUser) -> None:
    with platform.engine.begin() as connection:
        newest = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = 'older'"))
    try:
        answer = nobody.get("/health/ready")
        assert (answer.status_code, parts_of(answer)["schema"]) == (503, "down")
    finally:
        with platform.engine.begin() as connection:
            restored = {"newest": newest}
            connection.execute(text("UPDATE alembic_version SET version_num = :newest"), restored)


@pytest.fixture
def without_backends(settings: Settings) -> Iterator[Flask]:
    """An application whose Postgres and Redis are not there."""
    nowhere = f"127.0.0.1:{free_port()}"
    changed = settings.model_copy(
        update={
            "database_url": SecretStr(f"postgresql://x:y@{nowhere}/z"),
            "redis_url": SecretStr(f"redis://{nowhere}/0"),
        }
    )
    here = bootstrap(changed, role="tests-nowhere")
    yield create_app(here)
    here.close()


def test_without_postgres_nothing_is_ready_but_the_process_lives(without_backends: Flask) -> None:
    nobody = ApiUser(without_backends.test_client())
    answer = nobody.get("/health/ready")
    assert (answer.status_code, parts_of(answer)) == (
        503,
        {"postgres": "down", "redis": "degraded"},
    )
    assert nobody.get("/health/live").status_code == 200


def test_without_postgres_a_request_is_503_with_retry_after(
    without_backends: Flask, ada: ApiUser
) -> None:
    answer = ApiUser(without_backends.test_client(), ada.credentials).get("/jobs")
    assert error_of(answer, 503)["code"] == "UNAVAILABLE"
    assert int(answer.headers["Retry-After"]) > 0


def test_what_nobody_expected_is_500_and_shows_nothing(
    platform: Platform, settings: Settings, postgres_server: str, ada: ApiUser
) -> None:
    assert ada.get("/jobs").status_code == 200
    platform.live_client.redis.set(keys.SESSIONS_SWEPT, "1", ex=60)
    with fresh_database(postgres_server) as url:  # it has no tables
        changed = settings.model_copy(update={"database_url": SecretStr(url)})
        here = bootstrap(changed, role="tests-empty")
        answer = ApiUser(create_app(here).test_client(), ada.credentials).get("/jobs")
        here.close()
    error = error_of(answer, 500)
    assert error["code"] == "INTERNAL_ERROR"
    assert "relation" not in answer.text
    assert "SELECT" not in answer.text


def test_metrics_are_for_operators_and_the_scrape_token(
    platform: Platform, ada: ApiUser, nobody: ApiUser, admin: ApiUser
) -> None:
    error_of(nobody.get("/metrics"), 401)
    error_of(ada.get("/metrics"), 403)
    assert admin.get("/metrics").status_code == 200

    settings = platform.settings.model_copy(update={"scrape_token": SecretStr(SCRAPE_TOKEN)})
    app = create_app(replace(platform, settings=settings))
    scraper = ApiUser(app.test_client(), {"Authorization": f"Bearer {SCRAPE_TOKEN}"})
    assert scraper.client.get("/metrics", headers=dict(scraper.credentials)).status_code == 200
    error_of(scraper.get("/jobs"), 403)


def samples(admin: ApiUser, family: str) -> dict[tuple[str, ...], float]:
    """A family's values by those of its labels."""
    families = text_string_to_metric_families(admin.get("/metrics").text)
    found = next(one for one in families if one.name == family)
    return {
        tuple(one.labels.values()): one.value
        for one in found.samples
        if not one.name.endswith("_created")
    }


def test_metrics_count_errors_by_code(nobody: ApiUser, admin: ApiUser) -> None:
    nobody.get("/jobs")
    before = samples(admin, "stellwerk_http_errors")
    nobody.get("/jobs")
    after = samples(admin, "stellwerk_http_errors")
    assert after["NOT_AUTHENTICATED",] == before["NOT_AUTHENTICATED",] + 1


def test_metrics_tell_of_jobs_that_ended_lately(
    platform: Platform, ada: ApiUser, admin: ApiUser
) -> None:
    for _ in range(2):
        ada.post(f"/jobs/{ada.submit()}/cancel")
    for ended_ago_s in (60, 600):
        with platform.engine.begin() as connection:
            values = {"id": ada.submit(), "ended_ago_s": ended_ago_s}
            connection.execute(_COMPLETED_AFTER_8_S, values)
    assert samples(admin, "stellwerk_jobs_finished") == {
        ("diagnostics.echo", "cancelled"): 2,
        ("diagnostics.echo", "completed"): 1,
    }
    means = samples(admin, "stellwerk_jobs_finished_mean_seconds")
    assert means == {("diagnostics.echo", "completed"): 8}


def test_metrics_tell_of_ends_that_were_not_heard(
    platform: Platform, ada: ApiUser, admin: ApiUser
) -> None:
    assert samples(admin, "stellwerk_job_ends_owed") == {}
    with platform.runtime.sessions.begin() as session:
        session.add(OwedEnd(job_id=UUID(ada.submit()), party="on_end", due_at=utc_now()))
    assert samples(admin, "stellwerk_job_ends_owed") == {("diagnostics.echo", "on_end"): 1}


def test_metrics_count_requests_by_route_and_jobs_by_queue(ada: ApiUser, admin: ApiUser) -> None:
    ada.get(f"/jobs/{ada.submit()}")
    families = {one.name: one for one in text_string_to_metric_families(admin.get("/metrics").text)}

    requests = families["stellwerk_http_request_duration_seconds"].samples
    counted = {(one.labels.get("route"), one.labels.get("status")) for one in requests}
    assert ("/api/v1/jobs/<uuid:job_id>", "200") in counted
    jobs = families["stellwerk_jobs"].samples
    assert [(one.labels, one.value) for one in jobs] == [
        ({"queue": "short", "status": "queued"}, 1.0)
    ]
    assert families["stellwerk_redis_up"].samples[0].value == 1
