"""Simultaneous submissions of one web process share a transaction, and nothing else."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import Engine, make_url, text
from werkzeug.test import TestResponse

from api import ApiUser, signed_up
from embedded import wait_until
from relay import Relay, relayed
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.settings import Settings
from stellwerk_api.app import create_app

REFUSE = text("""
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'refused';
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON jobs FOR EACH ROW
        WHEN (NEW.payload ->> 'message' = 'wrong') EXECUTE FUNCTION refuse();
""")
TAKE = text("DROP TRIGGER refuse ON jobs; DROP FUNCTION refuse();")
STORED = text("SELECT id::text, xmin::text FROM jobs")


def submitted_at_once(
    here: Platform, app: Flask, user: ApiUser, messages: Sequence[str], *, then: Callable[[], Any]
) -> list[TestResponse]:
    """The answers; all but one of the submissions came while that one was under way.

    `then`: what is done before it may end.
    """

    def submit(message: str) -> TestResponse:
        body = {"operation": "diagnostics.echo", "payload": {"message": message}}
        return ApiUser(app.test_client(), user.credentials).post("/jobs", body)

    def are_waiting() -> bool:
        gathering = here.runtime.gatherings.get("short")
        return gathering is not None and gathering.waiting == len(messages) - 1

    with ThreadPoolExecutor(len(messages)) as pool:
        with here.engine.begin() as connection:
            connection.execute(text("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE"))
            answers = [pool.submit(submit, message) for message in messages]
            wait_until(are_waiting)
            then()
        return [answer.result() for answer in answers]


def stored(platform: Platform) -> dict[str, str]:
    """Jobs, and the transaction that stored each."""
    with platform.engine.connect() as connection:
        return {row.id: row.xmin for row in connection.execute(STORED)}


def test_submissions_at_once_are_stored_by_one_transaction_and_told_of_each(
    platform: Platform, application: Flask, ada: ApiUser
) -> None:
    answers = submitted_at_once(platform, application, ada, "abcdef", then=lambda: None)

    assert [answer.status_code for answer in answers] == [202] * 6
    ids = {answer.get_json()["job_id"] for answer in answers}
    found = stored(platform)
    assert found.keys() == ids
    assert len(set(found.values())) == 2
    assert all(platform.live.read(job_id) for job_id in ids)


@pytest.fixture
def refusing(platform: Platform) -> Iterator[Engine]:
    """Postgres refuses jobs with the message `wrong`."""
    with platform.engine.begin() as connection:
        connection.execute(REFUSE)
    yield platform.engine
    with platform.engine.begin() as connection:
        connection.execute(TAKE)


@pytest.mark.usefixtures("refusing")
def test_those_that_are_refused_touch_no_others(
    platform: Platform, application: Flask, ada: ApiUser
) -> None:
    messages = ["right", "wrong", "right", "wrong", "right", "right"]
    answers = submitted_at_once(platform, application, ada, messages, then=lambda: None)

    statuses = [answer.status_code for answer in answers]
    assert statuses == [202 if message == "right" else 500 for message in messages]
    accepted = {answer.get_json()["job_id"] for answer in answers if answer.status_code == 202}
    assert stored(platform).keys() == accepted


@pytest.fixture
def relay(settings: Settings) -> Iterator[Relay]:
    """It stands in front of Postgres."""
    url = make_url(settings.database())
    with relayed(url.host or "", url.port or 0) as made:
        yield made


def test_those_whose_commit_was_not_answered_are_accepted_once(
    platform: Platform, relay: Relay, settings: Settings
) -> None:
    url = make_url(platform.settings.database()).set(host="127.0.0.1", port=relay.port)
    address = SecretStr(url.render_as_string(hide_password=False))
    here = bootstrap(settings.model_copy(update={"database_url": address}), role="tests")
    try:
        app = create_app(here)
        user = signed_up(app.test_client())

        def lose() -> None:
            relay.lose_answer_to(b"EXECUTE submit_together")

        answers = submitted_at_once(here, app, user, "abcdef", then=lose)
    finally:
        here.close()

    assert relay.lost == 1
    assert [answer.status_code for answer in answers] == [202] * 6
    assert stored(platform).keys() == {answer.get_json()["job_id"] for answer in answers}
