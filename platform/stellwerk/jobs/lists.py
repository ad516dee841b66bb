"""Which jobs a list shows, and the statement that finds them at a cost bound by indices.

Lists are sorted by id, and ids by the time they were made. Each state is looked for by itself, so
that each can use the index that is made for it, whatever else the ledger holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from stellwerk.clock import lowest_id_since
from stellwerk.jobs.indices import ANYBODYS, DEAD, OWNED_ZERO, TAGGED, TAGGED_ZERO
from stellwerk.jobs.states import PublicStatus

# Ids are made by the clocks of web processes and workers, `created_at` by Postgres's; further
# apart than this they must not be.
CLOCKS_APART_S = 60.0

IS_DEAD = DEAD.replace("status ", "j.status ").replace("error ", "j.error ")
_IS_TAGGED = TAGGED.replace("tags", "j.tags")
_QUEUED = "j.status = 'queued' AND j.ending IS NULL"
_BY_STATUS: Mapping[PublicStatus, Sequence[str]] = {
    PublicStatus.SCHEDULED: (f"{_QUEUED} AND j.run_at > now() AND j.attempt = 0",),
    PublicStatus.RETRYING: (f"{_QUEUED} AND j.run_at > now() AND j.attempt > 0",),
    PublicStatus.QUEUED: (f"{_QUEUED} AND j.run_at <= now()",),
    PublicStatus.RUNNING: (
        "j.status = 'running'",
        "j.status = 'queued' AND j.ending IS NOT NULL",  # it is being rolled back
    ),
}

_NAMED = (
    "owner_id",
    "parent_id",
    "operation",
    "tag",
    "error_code",
    "created_from",
    "created_to",
    "after",
)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What a list is narrowed to; `after` is the id of the last job of the page before."""

    owner_id: int | None = None  # None: everybody's
    statuses: Sequence[PublicStatus] = ()
    parent_id: UUID | None = None
    operation: str | None = None
    left_out: Sequence[str] = ()  # operations
    tag: str | None = None
    error_code: str | None = None  # of failed jobs
    only_dead: bool = False  # failed jobs that used up their attempts
    created_from: datetime | None = None
    created_to: datetime | None = None
    after: UUID | None = None
    limit: int = 50


def ids_of_page(wanted: JobFilter) -> tuple[str, dict[str, Any]]:
    """SQL that gives the ids of the newest jobs that pass the filter, and its values."""
    where = " AND ".join(_conditions(wanted)) or "TRUE"
    zero = _zero(wanted)
    order = f"{zero} DESC, j.id DESC" if zero else "j.id DESC"
    states = [f"{where} AND {state}" for state in _states(wanted)] or [where]
    found = " UNION ALL ".join(_search(state, order) for state in states)
    sql = f"SELECT id FROM ({found}) found ORDER BY id DESC LIMIT :limit"
    return sql, _values(wanted)


def _search(where: str, order: str) -> str:
    return f"(SELECT j.id FROM jobs j WHERE {where} ORDER BY {order} LIMIT :limit)"


def _zero(wanted: JobFilter) -> str | None:
    """What is zero in the index that serves the list and nowhere else (indices.py)."""
    if wanted.owner_id is not None and (wanted.tag is not None or wanted.only_dead):
        return OWNED_ZERO.replace("owner_id", "j.owner_id")
    return None if wanted.tag is None else TAGGED_ZERO.replace("tags", "j.tags")


def _states(wanted: JobFilter) -> Iterator[str]:
    for status in dict.fromkeys(wanted.statuses):
        yield from _BY_STATUS.get(status, (f"j.status = '{status}'",))


def _conditions(wanted: JobFilter) -> list[str]:
    zero = _zero(wanted)
    before = f"({zero}, j.id) < (0, " if zero else "j.id < ("
    conditions = {
        "j.owner_id = :owner_id": wanted.owner_id,
        "j.parent_id = :parent_id": wanted.parent_id,
        "j.operation = :operation": wanted.operation,
        "j.operation <> ALL(:left_out)": wanted.left_out or None,
        f"j.tags @> ARRAY[:tag]::varchar[] AND {_IS_TAGGED}": wanted.tag,
        "j.status = 'failed' AND j.error ->> 'code' = :error_code": wanted.error_code,
        IS_DEAD: wanted.only_dead or None,
        f"j.{ANYBODYS}": True if wanted.only_dead and wanted.owner_id is None else None,
        "j.created_at >= :created_from AND j.id >= :lowest": wanted.created_from,
        f"j.created_at < :created_to AND {before}:highest)": wanted.created_to,
        f"{before}:after)": wanted.after,
    }
    return [condition for condition, value in conditions.items() if value is not None]


def _values(wanted: JobFilter) -> dict[str, Any]:
    """Of every parameter that may stand in the statement; those that do not are ignored."""
    values = {name: getattr(wanted, name) for name in _NAMED}
    bounds = {
        "lowest": (wanted.created_from, -CLOCKS_APART_S),
        "highest": (wanted.created_to, CLOCKS_APART_S),
    }
    for name, (moment, margin_s) in bounds.items():
        values[name] = moment and lowest_id_since(moment, margin_s=margin_s)
    given = {name: value for name, value in values.items() if value is not None}
    return given | {"limit": wanted.limit, "left_out": list(wanted.left_out)}
