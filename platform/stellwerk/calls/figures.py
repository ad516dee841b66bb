"""How all calls went, for those who run the platform: by day, by state and by cause."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

_RANGE = "created_at >= :since AND created_at < :until"
_BY_DAY = text(f"""
    SELECT timezone('UTC', created_at)::date AS day,
        count(*) AS calls,
        count(*) FILTER (WHERE intended_at IS NOT NULL AND ended_at IS NOT NULL) AS dialed,
        count(*) FILTER (WHERE answered_at IS NOT NULL AND ended_at IS NOT NULL) AS answered,
        count(*) FILTER (WHERE is_uncertain) AS uncertain,
        count(*) FILTER (WHERE is_simulated) AS simulated,
        coalesce(sum(duration_s) FILTER (WHERE answered_at IS NOT NULL), 0) AS talked_s,
        coalesce(sum(billable_s), 0) AS billable_s,
        coalesce(sum(cost_eur) FILTER (WHERE NOT is_simulated), 0) AS cost
    FROM calls WHERE {_RANGE} GROUP BY GROUPING SETS ((day), ()) ORDER BY day NULLS FIRST
""")  # noqa: S608  constants alone; the row without a day is that of all
_BY_STATE_AND_CAUSE = text(f"""
    SELECT state, coalesce(cause, '') AS cause, count(*) AS calls
    FROM calls WHERE {_RANGE} GROUP BY state, cause
""")  # noqa: S608  constants alone
_NOW = text("""
    SELECT count(*) FILTER (WHERE state = 'queued') AS queued,
        count(*) FILTER (WHERE state <> 'queued') AS under_way
    FROM calls WHERE state IN ('queued', 'dialing', 'ringing', 'answered')
""")
# One more from each dial on, one less from each end on; at the same moment ends come first.
_PEAK = text(f"""
    SELECT coalesce(max(together), 0) FROM (
        SELECT sum(step) OVER (ORDER BY at, step ROWS UNBOUNDED PRECEDING) AS together
        FROM calls, LATERAL (VALUES (intended_at, 1), (ended_at, -1)) AS turns (at, step)
        WHERE intended_at IS NOT NULL AND at IS NOT NULL AND {_RANGE}) AS sums
""")  # noqa: S608  constants alone


def figures(session: Session, since: datetime, until: datetime) -> dict[str, Any]:
    """Of the calls asked for from `since` until just before `until`, and how many there are now.

    ASR (answer-seizure ratio, ITU-T E.411): of the calls that were dialled and have ended, how many
    were answered. ACD: how long those lasted on the average. Null where there were none.
    """
    within = {"since": since, "until": until}
    totals, *days = session.execute(_BY_DAY, within).mappings()
    now = session.execute(_NOW).mappings().one()
    return {
        "since": since,
        "until": until,
        **_rates(totals),
        **_counts(session, within),
        "queued": now["queued"],
        "concurrent": now["under_way"],
        "concurrent_peak": int(session.scalar(_PEAK, within) or 0),
        "days": [{"day": row["day"], **_rates(row)} for row in days],
    }


def _counts(session: Session, within: Mapping[str, datetime]) -> dict[str, dict[str, int]]:
    by_state: dict[str, int] = {}
    by_cause: dict[str, int] = {}
    for state, cause, number in session.execute(_BY_STATE_AND_CAUSE, within):
        by_state[state] = by_state.get(state, 0) + number
        if cause:
            by_cause[cause] = by_cause.get(cause, 0) + number
    return {"by_state": by_state, "by_cause": by_cause}


def _rates(row: RowMapping) -> dict[str, Any]:
    dialed, answered, talked_s = row["dialed"], row["answered"], row["talked_s"]
    return {
        "calls": row["calls"],
        "dialed": dialed,
        "answered": answered,
        "uncertain": row["uncertain"],
        "simulated": row["simulated"],
        "asr_percent": round(100 * answered / dialed, 2) if dialed else None,
        "acd_s": round(talked_s / answered, 2) if answered else None,
        "billable_s": row["billable_s"],
        "cost": row["cost"],
    }
