"""The one statement that accepts a job on its own: key, publication and row in one round trip.

Plain jobs, which no other row can stand against, are accepted together with those of other threads.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache, partial
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
import structlog

from stellwerk.db.direct import Prepared, prepared
from stellwerk.jobs import idempotency
from stellwerk.jobs.gathering import Gathering
from stellwerk.jobs.idempotency import Once, found
from stellwerk.jobs.model import Job
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queries import change_of
from stellwerk.jobs.runtime import Runtime, leave_to_dispatcher, measure, tell
from stellwerk.jobs.window import MAY_PUBLISH

log = structlog.get_logger()

Values = dict[str, Any]

COLUMNS = MappingProxyType(
    {
        "id": "uuid",
        "operation": "text",
        "operation_version": "int",
        "owner_id": "int",
        "queue": "text",
        "payload": "jsonb",
        "max_attempts": "int",
        "unique_key": "text",
        "operation_key": "text",
        "tags": "text[]",
        "callback_url": "text",
        "request_id": "text",
        "trace_context": "jsonb",
        "is_sensitive": "bool",
    }
)
_TYPES = {
    **COLUMNS,
    "run_at": "timestamptz",
    "window": "int",
    "ahead": "text[]",
    "queues": "text[]",
    "max_running": "int",
    "max_running_per_owner": "int",
    "owner_max_running": "int",
    **idempotency.TYPES,
}
_UNIQUE = ("unique_key", "operation_key")
_PLAIN = MappingProxyType({name: kind for name, kind in COLUMNS.items() if name not in _UNIQUE})
_BLANK: Mapping[str, Any] = MappingProxyType(
    dict.fromkeys(Job.__table__.columns.keys())
    | {"status": "queued", "version": 1, "is_simulated": False, "message": ""}
    | dict.fromkeys(("attempt", "failures", "crashes", "progress", "reserved_cost", "cost"), 0)
    | {"step_rows": (), "artifact_rows": ()}
)


class _Plain(NamedTuple):
    values: Values
    row: bytes  # its columns, as JSON


def insert(runtime: Runtime, values: Values, condition: str, once: Once | None) -> None:
    """Commit a job and tell of it; `condition`: SQL under which it is published at once.

    `values` are those of the job's columns (`run_at` None: now) and of the condition. Raises
    what `idempotency.reserve` raises, and SQLAlchemy's errors.
    """
    is_plain = once is None and condition == MAY_PUBLISH
    if is_plain and all(values[name] is None for name in _UNIQUE):
        _gathering(runtime, values["queue"]).add(_Plain(values, _as_json(values)))
    else:
        _insert_alone(runtime, values, condition, once)
    measure(runtime)


def _insert_alone(runtime: Runtime, values: Values, condition: str, once: Once | None) -> None:
    key = once.values([values["id"]]) if once else {}
    statement = _statement(condition, is_keyed=once is not None)
    rows = runtime.direct.rows(statement, {**values, **key, **_as_text(values)})
    if rows:
        _tell(runtime, [values], rows)
    elif once:
        with runtime.sessions() as session:
            raise found(session, once)


def _gathering(runtime: Runtime, queue: str) -> Gathering[_Plain]:
    """Of the queue: whether there is room in its window is asked once for all."""
    known: Gathering[_Plain] | None = runtime.gatherings.get(queue)
    if known is None:
        made = Gathering(partial(_insert_plain, runtime))
        known = runtime.gatherings.setdefault(queue, made)
    return known


def _insert_plain(runtime: Runtime, plain: Sequence[_Plain]) -> None:
    rows = b",".join(one.row for one in plain)
    common = {name: plain[0].values[name] for name in ("queue", "ahead", "window")}
    stored = runtime.direct.rows(_TOGETHER, {**common, "rows": f"[{rows.decode()}]"})
    by_id = {str(job_id): row for job_id, *row in stored}
    told = [one.values for one in plain]
    _tell(runtime, told, [by_id[str(values["id"])] for values in told])


def _as_json(values: Values) -> bytes:
    given = {name: values[name] for name in (*_PLAIN, "run_at")}
    return orjson.dumps(given, option=orjson.OPT_NON_STR_KEYS)


def _as_text(values: Values) -> dict[str, str | None]:
    """The JSON columns as Postgres takes them."""
    trace = values["trace_context"]
    return {
        "payload": orjson.dumps(values["payload"], option=orjson.OPT_NON_STR_KEYS).decode(),
        "trace_context": orjson.dumps(trace).decode() if trace else None,
    }


def _tell(runtime: Runtime, jobs: Sequence[Values], rows: Sequence[Sequence[Any]]) -> None:
    """Whatever goes wrong now, they are stored: nobody may be told to send them again."""
    try:
        _show(runtime, jobs, rows)
    except Exception:
        log.exception("stored, but nobody was told", count=len(jobs))
        leave_to_dispatcher(runtime, [values["id"] for values in jobs])


def _show(runtime: Runtime, jobs: Sequence[Values], rows: Sequence[Sequence[Any]]) -> None:
    shown, wakeups = [], []
    for values, (created_at, run_at, is_ahead, is_published) in zip(jobs, rows, strict=True):
        stored = {"created_at": created_at, "run_at": run_at, "is_ahead": is_ahead}
        shown.append(change_of({**_BLANK, **values, **stored}, runtime.registry))
        if is_published:
            wakeups.append(Wakeup(values["id"], 0, values["operation"], values["queue"]))
    tell(runtime, shown, wakeups)


_RETURNED = "created_at, run_at, run_at > now(), published_at IS NOT NULL"


@cache
def _statement(condition: str, *, is_keyed: bool) -> Prepared:
    columns = ", ".join(COLUMNS)
    places = ", ".join(f":{name}" for name in COLUMNS)
    sql = f"""
        {f"WITH reserved AS ({idempotency.RESERVE})" if is_keyed else ""}
        INSERT INTO jobs ({columns}, run_at, published_at)
        SELECT {places}, coalesce(:run_at, now()),
            CASE WHEN coalesce(:run_at, now()) <= now() AND {condition} THEN now() END
        {"FROM reserved" if is_keyed else ""}
        RETURNING {_RETURNED}
    """
    used = set(re.findall(r"(?<!:):(\w+)", sql))
    types = {name: kind for name, kind in _TYPES.items() if name in used}
    return prepared(f"submit_{sha256(sql.encode()).hexdigest()[:12]}", sql, **types)


_TOGETHER = prepared(
    "submit_together",
    f"""
        INSERT INTO jobs ({", ".join(_PLAIN)}, run_at, published_at)
        SELECT {", ".join(_PLAIN)}, coalesce(run_at, now()),
            CASE WHEN coalesce(run_at, now()) <= now() AND {MAY_PUBLISH} THEN now() END
        FROM jsonb_to_recordset(:rows)
            AS given({", ".join(f"{name} {kind}" for name, kind in _PLAIN.items())},
                run_at timestamptz)
        RETURNING id, {_RETURNED}
    """,
    rows="jsonb",
    queue="text",
    window="int",
    ahead="text[]",
)
