"""Whose job is published next: owners take turns, whoever has fewest jobs at work first.

The jobs that wait stand in lanes, one for each owner and operation of a queue; the platform's own
jobs have the owner 0. The statement walks from lane to lane on `ix_jobs_turns`, so that what a
lane holds behind its first jobs costs nothing, and a lane whose limit is reached is passed over.
Of an owner's jobs those that were begun come first, which each lane therefore keeps apart: one that
a crash moved to another queue, or that was handed over for a while, is not to wait for what its
owner has there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from stellwerk.db.direct import prepared
from stellwerk.jobs.indices import IS_QUEUED
from stellwerk.jobs.limits import Limits
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queues import ahead_of, base_queue, choices
from stellwerk.jobs.runtime import Runtime
from stellwerk.settings import Settings

LANES = 64  # looked at in one turn, or as many as the window; the next turn goes on behind them
LOOKED_AT = 1000  # jobs considered in one turn, shared by the lanes

Rows = Sequence[Mapping[str, Any]]
_WAITING = "queue = :queue AND status = 'queued' AND published_at IS NULL AND run_at <= now()"
_OWNER = "coalesce(owner_id, 0)"


def _walk(name: str, start: str, within: str) -> str:
    """A recursive query, `name`: lanes in order, owners beyond `start` while `within` holds."""
    step = f"SELECT {_OWNER} AS owner, operation FROM jobs WHERE {_WAITING}"
    order = f"ORDER BY {_OWNER}, operation LIMIT 1"
    return f"""{name} AS (
        (SELECT owner, operation, 1 AS number
         FROM ({step} AND {_OWNER} > {start} {order}) lane, room WHERE room.jobs > 0 AND {within})
        UNION ALL
        SELECT lane.owner, lane.operation, walked.number + 1
        FROM {name} walked CROSS JOIN LATERAL (
            {step} AND ({_OWNER}, operation) > (walked.owner, walked.operation) {order}) lane
        WHERE walked.number < :lanes AND {within})"""


_ANY_DUE = text("""
    SELECT name
    FROM unnest(CAST(:queues AS text[]), CAST(:lost AS timestamptz[])) AS asked(name, lost_before)
    WHERE EXISTS (SELECT 1 FROM jobs WHERE queue = asked.name AND status = 'queued'
        AND run_at <= now() AND (published_at IS NULL
            OR published_at <= greatest(now() - :republish, asked.lost_before)))
""")
_LOST = "published_at <= greatest(now() - :republish, :lost_before)"
# A backlog is neither gathered nor sorted: its lanes are walked. Where no order is needed it is
# asked for all the same, since only the right index has it.
_TAKE = prepared(
    "stellwerk_turn",
    f"""
    WITH RECURSIVE
    room AS MATERIALIZED (
        SELECT CASE WHEN EXISTS (SELECT 1 FROM queue_states
                                 WHERE name = :queue AND paused_at IS NOT NULL)
            THEN 0 ELSE greatest(:window - count(*), 0) END AS jobs
        FROM (SELECT 1 FROM jobs WHERE queue = ANY(:ahead) AND status = 'queued'
                AND published_at > now() - :republish
                AND (queue <> :queue OR NOT {_LOST})
              ORDER BY queue, published_at LIMIT :window) outstanding),
    unheard AS MATERIALIZED (
        SELECT id FROM jobs
        WHERE queue = :queue AND status = 'queued' AND {_LOST}
        ORDER BY published_at LIMIT (SELECT jobs FROM room)),
    {_walk("following", ":after", "TRUE")},
    {_walk("wrapped", "-1", "lane.owner <= :after")},
    walked AS MATERIALIZED (
        SELECT owner, operation, dense_rank() OVER (ORDER BY lap, owner) AS place
        FROM (SELECT 0 AS lap, * FROM following
              UNION ALL
              SELECT 1 AS lap, * FROM wrapped
              WHERE (SELECT count(*) FROM following) < :lanes) both_laps),
    busy AS MATERIALIZED (
        SELECT {_OWNER} AS owner, operation, queue, count(*) AS jobs
        FROM (SELECT owner_id, operation, queue FROM jobs WHERE status = 'running'
              UNION ALL
              (SELECT owner_id, operation, queue FROM jobs
               WHERE status = 'queued' AND published_at IS NOT NULL
               ORDER BY jobs.queue, published_at)) at_work
        WHERE EXISTS (SELECT 1 FROM walked)
        GROUP BY 1, 2, 3),
    lanes AS (
        SELECT walked.*, limits.total - (
                SELECT coalesce(sum(jobs), 0) FROM busy
                WHERE busy.operation = walked.operation) AS total_room,
            limits.per_owner - (
                SELECT coalesce(sum(jobs), 0) FROM busy
                WHERE busy.operation = walked.operation AND busy.owner = walked.owner) AS room
        FROM walked LEFT JOIN unnest(CAST(:limited AS text[]), CAST(:totals AS int[]),
                CAST(:per_owner AS int[])) AS limits(operation, total, per_owner)
            ON limits.operation = walked.operation),
    candidates AS (
        SELECT job.id, job.run_at, begun.is_begun,
            lanes.owner, lanes.operation, lanes.place, lanes.total_room
        FROM lanes CROSS JOIN (VALUES (1), (0)) AS begun(is_begun) CROSS JOIN LATERAL (
            SELECT id, run_at FROM jobs
            WHERE {_WAITING} AND {_OWNER} = lanes.owner AND operation = lanes.operation
                AND least(attempt, 1) = begun.is_begun
            ORDER BY run_at, id
            LIMIT greatest(least((SELECT jobs FROM room),
                1 + :looked_at / (SELECT count(*) FROM walked),
                lanes.room, lanes.total_room), 0)) job),
    owners AS MATERIALIZED (
        SELECT owner, sum(jobs) AS jobs FROM busy WHERE queue = ANY(:queues) GROUP BY owner),
    ranked AS (
        SELECT candidates.*, coalesce(owners.jobs, 0) + row_number() OVER (
            PARTITION BY candidates.owner
            ORDER BY candidates.is_begun DESC, candidates.run_at, candidates.id) AS turn
        FROM candidates LEFT JOIN owners ON owners.owner = candidates.owner),
    allowed AS (
        SELECT ranked.*, row_number() OVER (PARTITION BY operation ORDER BY turn, place) AS nth
        FROM ranked WHERE CAST(:owner_max AS int) IS NULL OR turn <= :owner_max),
    chosen AS MATERIALIZED (
        SELECT id, owner, turn, place FROM allowed WHERE total_room IS NULL OR nth <= total_room
        ORDER BY turn, place
        LIMIT (SELECT jobs FROM room) - (SELECT count(*) FROM unheard)),
    taken AS (
        SELECT free.id FROM (SELECT id FROM chosen UNION ALL SELECT id FROM unheard) due
        CROSS JOIN LATERAL (
            SELECT id FROM jobs WHERE jobs.id = due.id AND {IS_QUEUED}
                AND (published_at IS NULL OR {_LOST})
            FOR NO KEY UPDATE SKIP LOCKED) free),
    sent AS (
        UPDATE jobs SET published_at = now() WHERE jobs.id = ANY(ARRAY(SELECT id FROM taken))
        RETURNING jobs.id, jobs.attempt, jobs.operation)
    SELECT room.jobs AS room, sent.id, sent.attempt, sent.operation, chosen.owner,
        (SELECT owner FROM walked ORDER BY place DESC LIMIT 1) AS last_walked,
        (SELECT count(*) FROM walked) AS lanes
    FROM room LEFT JOIN (sent LEFT JOIN chosen ON chosen.id = sent.id) ON TRUE
    ORDER BY chosen.turn NULLS FIRST, chosen.place
    """,
    without=("sort", "incremental_sort", "bitmapscan", "hashjoin", "mergejoin"),
    queue="text",
    ahead="text[]",
    queues="text[]",
    window="int",
    republish="interval",
    lost_before="timestamptz",
    after="int",
    lanes="int",
    looked_at="int",
    owner_max="int",
    limited="text[]",
    totals="int[]",
    per_owner="int[]",
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a turn may go."""

    window: int  # wake-ups outstanding
    republish_after_s: float  # then a wake-up that nobody claimed counts as lost
    after_owner: int  # whose turn came last; -1: nobody's
    lost_before: datetime | None = None  # so do those from before this moment that are unclaimed


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a queue came to."""

    wakeups: list[Wakeup]
    may_go_on: bool  # the window was filled, or a lane gave all it might
    last_owner: int


def queues_with_due(
    session: Session, settings: Settings, lost_before: Mapping[str, datetime | None]
) -> frozenset[str]:
    """Where a turn may find something; asked first, since it costs next to nothing.

    `lost_before`: the queues, and of each what `Bounds` says.
    """
    values = {
        "queues": list(lost_before),
        "lost": list(lost_before.values()),
        "republish": timedelta(seconds=settings.job_republish_after_s),
    }
    return frozenset(session.scalars(_ANY_DUE, values))


def take_turn(runtime: Runtime, session: Session, *, queue: str, bounds: Bounds) -> Turn:
    """Mark due jobs as published, as far as window and limits allow; commit, then send them."""
    settings = runtime.settings
    values = _values(settings, queue, bounds) | _limits(runtime.registry, settings, queue)
    rows = runtime.direct.within(session, _TAKE, values)
    sent = [row for row in rows if row["id"]]
    is_full = len(sent) >= rows[0]["room"]
    share = LOOKED_AT // max(rows[0]["lanes"], 1)
    return Turn(
        wakeups=[Wakeup(row["id"], row["attempt"], row["operation"], queue) for row in sent],
        may_go_on=is_full or len(sent) > share,
        last_owner=_last_served(rows, bounds) if is_full else _last_walked(rows),
    )


def _last_served(rows: Rows, bounds: Bounds) -> int:
    served = (row["owner"] for row in reversed(rows) if row["owner"] is not None)
    return next(served, bounds.after_owner)


def _last_walked(rows: Rows) -> int:
    """With room to spare everybody was served, as far as the walk went."""
    last: int | None = rows[0]["last_walked"]
    return -1 if last is None else last


def _values(settings: Settings, queue: str, bounds: Bounds) -> dict[str, Any]:
    return {
        "queue": queue,
        "ahead": ahead_of(queue),
        "queues": list(choices(base_queue(queue))),
        "window": bounds.window,
        "republish": timedelta(seconds=bounds.republish_after_s),
        "lost_before": bounds.lost_before,
        "after": bounds.after_owner,
        "lanes": max(LANES, bounds.window),
        "looked_at": LOOKED_AT,
        "owner_max": settings.owner_max_running.get(base_queue(queue)),
    }


def _limits(registry: Registry, settings: Settings, queue: str) -> dict[str, Any]:
    """The operations with limits of their own, as three columns."""
    found = {operation.name: Limits.of(settings, operation, queue) for operation in registry}
    limited = {name: limits for name, limits in found.items() if limits.are_of_operation}
    return {
        "limited": list(limited),
        "totals": [limits.max_running for limits in limited.values()],
        "per_owner": [limits.max_running_per_owner for limits in limited.values()],
    }
