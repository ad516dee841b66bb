"""The one statement that accepts a job on its own: key, publication and row in one round trip."""

import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import orjson

from stellwerk.db.direct import Prepared, prepared
from stellwerk.jobs import idempotency
from stellwerk.jobs.idempotency import Once, found
from stellwerk.jobs.model import Job
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queries import change_of
from stellwerk.jobs.runtime import Runtime, announce

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
_BLANK: Mapping[str, Any] = MappingProxyType(
    dict.fromkeys(Job.__table__.columns.keys())
    | {"status": "queued", "version": 1, "is_simulated": False, "message": ""}
    | dict.fromkeys(("attempt", "failures", "crashes", "progress", "reserved_cost", "cost"), 0)
    | {"step_rows": (), "artifact_rows": ()}
)


def insert(runtime: Runtime, values: Values, condition: str, once: Once | None) -> None:
    """Commit a job and tell of it; `condition`: SQL under which it is published at once.

    `values` are those of the job's columns (`run_at` None: now) and of the condition. Raises
    what `idempotency.reserve` raises, and SQLAlchemy's errors.
    """
    key = once.values([values["id"]]) if once else {}
    statement = _statement(condition, is_keyed=once is not None)
    rows = runtime.direct.rows(statement, {**values, **key, **_as_text(values)})
    if rows:
        _tell(runtime, values, rows[0])
    elif once:
        with runtime.sessions() as session:
            raise found(session, once)


def _as_text(values: Values) -> dict[str, str | None]:
    """The JSON columns as Postgres takes them."""
    trace = values["trace_context"]
    return {
        "payload": orjson.dumps(values["payload"], option=orjson.OPT_NON_STR_KEYS).decode(),
        "trace_context": orjson.dumps(trace).decode() if trace else None,
    }


def _tell(runtime: Runtime, values: Values, row: tuple[Any, ...]) -> None:
    created_at, run_at, is_ahead, is_published = row
    stored = {"created_at": created_at, "run_at": run_at, "is_ahead": is_ahead}
    shown = change_of({**_BLANK, **values, **stored}, runtime.registry)
    wakeup = Wakeup(values["id"], 0, values["operation"], values["queue"])
    announce(runtime, [shown], [wakeup] if is_published else [])


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
        RETURNING created_at, run_at, run_at > now(), published_at IS NOT NULL
    """
    used = set(re.findall(r"(?<!:):(\w+)", sql))
    types = {name: kind for name, kind in _TYPES.items() if name in used}
    return prepared(f"submit_{sha256(sql.encode()).hexdigest()[:12]}", sql, **types)
