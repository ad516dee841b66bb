"""A queue as operators see it: from the ledger, and from what workers tell of themselves."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from celeryconfig import QUEUES
from stellwerk.clock import rfc3339
from stellwerk.errors import NotFound
from stellwerk.jobs.queue_states import QueueDepth, depths
from stellwerk.live.workers import Worker, Workers
from stellwerk_api.context import platform


def every_queue() -> list[dict[str, Any]]:
    """All of them."""
    return _documents(QUEUES)


def one_queue(name: str) -> dict[str, Any]:
    """One of them; raises NotFound."""
    return _documents([known(name)])[0]


def known(name: str) -> str:
    """The name, if there is such a queue; raises NotFound."""
    if name not in QUEUES:
        raise NotFound(f"There is no queue {name[:80]!r}; there are {', '.join(QUEUES)}.")
    return name


def _documents(names: Sequence[str]) -> list[dict[str, Any]]:
    here = platform()
    workers = Workers(here.live_client).present()
    return [_document(depth, workers) for depth in depths(here.runtime, names)]


def _document(depth: QueueDepth, workers: Sequence[Worker] | None) -> dict[str, Any]:
    return {
        **asdict(depth),
        "paused": depth.paused_at is not None,
        "paused_at": rfc3339(depth.paused_at),
        **_of_workers(depth.name, workers),
    }


def _of_workers(name: str, workers: Sequence[Worker] | None) -> dict[str, Any]:
    if workers is None:
        return {"workers": None, "slots": None, "ended_last_minute": None}
    takers = [worker for worker in workers if name in worker.queues]
    return {
        "workers": [worker.name for worker in takers],
        "slots": sum(worker.slots for worker in takers),
        "ended_last_minute": sum(worker.ended_last_minute.get(name, 0) for worker in takers),
    }
