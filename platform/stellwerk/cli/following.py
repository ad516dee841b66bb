"""Follows a job: by its event stream, and by polling wherever that does not work."""

import json
import time
from collections.abc import Iterator
from typing import Any

from stellwerk.cli.api import Api
from stellwerk.errors import ApiRefused, ApiUnreachable

Document = dict[str, Any]

FINAL = frozenset({"completed", "failed", "cancelled"})
DOCUMENT_EVENTS = frozenset({"snapshot", "status", "end"})
POLL_S = 1.0
UNREACHABLE_LIMIT_S = 120.0  # a platform that is being restarted is waited for


def follow(api: Api, job_id: str) -> Iterator[Document]:
    """The job's document each time it changed; the last one is final.

    Raises ApiRefused, and ApiUnreachable after two minutes without any answer.
    """
    stream = _Stream(api, job_id)
    answered_at = time.monotonic()
    while True:
        try:
            for document in stream.documents():
                yield document
            document = api.get(f"/jobs/{job_id}")
        except ApiUnreachable:
            if time.monotonic() - answered_at > UNREACHABLE_LIMIT_S:
                raise
        else:
            answered_at = time.monotonic()
            yield document
            if document["status"] in FINAL:
                return
        time.sleep(POLL_S)


class _Stream:
    """The event stream over several connections."""

    def __init__(self, api: Api, job_id: str) -> None:
        self._api = api
        self._job_id = job_id
        self._last_id = ""
        self._is_offered = True

    def documents(self) -> Iterator[Document]:
        """Documents until the connection ends, one way or the other."""
        if not self._is_offered:
            return
        try:
            for event in self._api.events(self._job_id, self._last_id):
                self._last_id = event.id or self._last_id
                if event.type in DOCUMENT_EVENTS:
                    yield json.loads(event.data)
        except ApiUnreachable:  # it broke off; the next poll tells whether all is gone
            return
        except ApiRefused:  # no streams here, or no such job: polling says which
            self._is_offered = False
