from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.errors import Conflict
from stellwerk.jobs import queries
from stellwerk.jobs.idempotency import Once, Replayed
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission, submit
from trial import trial

SOON = datetime.now(UTC) + timedelta(hours=1)


def document(platform: Platform, job_id: UUID) -> dict[str, Any]:
    with platform.runtime.sessions() as session:
        return queries.change(session, platform.runtime.registry, job_id).document


@pytest.mark.parametrize("operation", ["diagnostics.echo", "diagnostics.sleep"])
@pytest.mark.parametrize(
    "wanted",
    [{}, {"run_at": SOON, "tags": ("a", "b'c")}, {"unique_key": "100 %", "request_id": "r"}],
    ids=["now", "later", "with a key"],
)
def test_what_is_shown_of_a_new_job_is_what_the_ledger_has(
    platform: Platform, operation: str, wanted: dict[str, Any]
) -> None:
    payload = {"message": "it's \\ 100 %"} if operation == "diagnostics.echo" else {"seconds": 1}
    owner_id = add_user(platform)

    job_id = submit(platform.runtime, Submission(operation, payload, owner_id, **wanted))

    shown = platform.live.read(job_id)
    assert shown
    assert (shown.owner_id, shown.version) == (owner_id, 1)
    assert orjson.loads(shown.document) == document(platform, job_id)


def test_a_domain_that_refuses_leaves_the_key_of_the_request_free(platform: Platform) -> None:
    once = Once(add_user(platform), "test", "key", ("hmac",), kept_s=60)
    is_full = True

    def accept(*_: Any) -> None:
        if is_full:
            raise Conflict("full")

    with trial(platform, lambda *_: None, on_accept=accept) as run:
        with pytest.raises(Conflict):
            run.submit(once=once)
        is_full = False
        job_id = run.submit(once=once)
        is_full = True
        with pytest.raises(Replayed) as replayed:
            run.submit(once=once)
    assert replayed.value.job_ids == (job_id,)


def test_what_is_stored_counts_as_accepted_though_telling_of_it_fails(platform: Platform) -> None:
    runtime = replace(platform.runtime, publisher=Broken())

    job_id = submit(runtime, Submission("diagnostics.echo", {}, owner_id=None))

    with platform.runtime.sessions() as session:
        job = session.get_one(Job, job_id)
    assert (job.status, job.published_at) == ("queued", None)


class Broken:
    """Something is wrong with how wake-ups are sent."""

    def publish(self, *_: Any) -> None:
        raise RuntimeError("no thread can be started")

    announce = publish

    def is_paused(self) -> bool:
        return False
