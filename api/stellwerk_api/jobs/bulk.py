"""Many jobs in one request, all of them or none."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from flask import Response

from stellwerk.jobs.bulk import present, submit_all
from stellwerk.jobs.idempotency import Replayed
from stellwerk.jobs.queries import API
from stellwerk.jobs.submission import Submission
from stellwerk.webhooks.service import refuse_callbacks
from stellwerk_api.accepted import (
    FIRST_LOOK_S,
    replay_header,
    require_submittable,
)
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.idempotency import once, replay
from stellwerk_api.jobs.managing import first_status
from stellwerk_api.json_answers import json_answer
from stellwerk_api.observation import request_id


def submitted_all(entries: Sequence[Mapping[str, Any]]) -> Response:
    """Submit what `BulkBody` describes; raises InvalidInput naming entries, NotPermitted."""
    runtime = platform().runtime
    named = Counter(entry["operation"] for entry in entries)
    known = {name: number for name, number in named.items() if name in runtime.registry}
    require_submittable(known)
    callbacks = {
        f"jobs.{index}.callback_url": entry["callback_url"] for index, entry in enumerate(entries)
    }
    refuse_callbacks(runtime, caller().user_id, callbacks)
    sender = partial(Submission, owner_id=caller().user_id, request_id=request_id())
    submissions = [sender(**{**entry, "tags": tuple(entry["tags"])}) for entry in entries]
    try:
        submit_all(runtime, submissions, once())
    except Replayed as exc:
        return _answer(_as_they_are(replay(exc)))
    return _answer(
        [_entry(one.job_id, one.operation, first_status(one.run_at)) for one in submissions]
    )


def _as_they_are(job_ids: Sequence[UUID]) -> list[dict[str, str]]:
    with platform().runtime.sessions() as session:
        known = present(session, job_ids)
    return [_entry(job_id, *known[job_id]) for job_id in job_ids if job_id in known]


def _entry(job_id: UUID, operation: str, status: str) -> dict[str, str]:
    return {
        "job_id": str(job_id),
        "operation": operation,
        "status": status,
        "status_url": f"{API}/jobs/{job_id}",
    }


def _answer(jobs: list[dict[str, str]]) -> Response:
    headers = {"Retry-After": str(FIRST_LOOK_S)} | replay_header()
    return json_answer({"jobs": jobs}, 202, headers=headers)
