"""How the platform is, part by part. Only Postgres and its schema decide whether it is ready."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache, partial

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.bootstrap import Platform
from stellwerk.calls.standing import standing
from stellwerk.db.migrate import head
from stellwerk.modules import standing as modules
from stellwerk.modules.watching import require_answer

NOBODY_WORKS_S = 30.0  # a due job waits for so long while none of its queue runs
LATE_S = 15.0  # what the dispatcher should have done by then

_REVISION = text("SELECT version_num FROM alembic_version")
_NEGLECTED = text("""
    SELECT queue, extract(epoch FROM now() - min(run_at)) AS waits_s FROM jobs j
    WHERE status = 'queued' AND run_at < now() - :patience
        AND NOT EXISTS (SELECT 1 FROM jobs r WHERE r.status = 'running'
            AND r.queue IN (j.queue, regexp_replace(j.queue, '_low$', '')))
        AND NOT EXISTS (SELECT 1 FROM queue_states q
                        WHERE q.name = j.queue AND q.paused_at IS NOT NULL)
    GROUP BY queue
""")
_UNRESCUED = text("""
    SELECT count(*) FROM (
        SELECT 1 FROM jobs WHERE status = 'running' AND lease_until < now() - :late LIMIT 100) l
""")


@dataclass(frozen=True, slots=True)
class Part:
    """One part: ok, degraded (the platform works on without it) or down."""

    name: str
    status: str = "ok"
    message: str = ""


@cache
def newest_revision() -> str:
    """The schema's revision that this code expects."""
    return head()


def parts(platform: Platform) -> list[Part]:
    """Every part; asks each backend once, with the timeouts of ordinary requests."""
    return [*_of_postgres(platform), _redis(platform), *_of_modules(platform)]


def report(found: list[Part]) -> tuple[dict[str, object], int]:
    """The JSON and the status: 503 only when something is down."""
    statuses = {part.status for part in found}
    overall = next((worst for worst in ("down", "degraded") if worst in statuses), "ok")
    shown = [asdict(part) for part in found]
    return {"status": overall, "parts": shown}, 503 if overall == "down" else 200


def _of_postgres(platform: Platform) -> Iterator[Part]:
    try:
        with platform.engine.connect() as connection:
            revision = connection.scalar(_REVISION)
            if revision != newest_revision():
                message = f"The schema is at {revision}; run `stellwerk db upgrade`."
                yield Part("schema", "down", message)
                return
            values = {"patience": timedelta(seconds=NOBODY_WORKS_S)}
            neglected = connection.execute(_NEGLECTED, values).all()
            late = connection.scalar(_UNRESCUED, {"late": timedelta(seconds=LATE_S)})
            calls = standing(connection, platform.settings)
    except SQLAlchemyError as exc:
        yield Part("postgres", "down", f"It does not answer ({type(exc).__name__}).")
        return
    yield Part("postgres")
    yield Part("schema")
    yield _workers({row.queue: float(row.waits_s) for row in neglected})
    yield _dispatcher(late or 0)
    if calls:
        yield Part("calls", "ok" if calls.is_well else "degraded", calls.message)


def _of_modules(platform: Platform) -> Iterator[Part]:
    """Nothing where there are none, or where nobody knows: Postgres is a part of its own."""
    try:
        with platform.engine.connect() as connection:
            present = modules.numbers(connection)
    except SQLAlchemyError:
        return
    require_runtime = partial(require_answer, platform.runtime)
    found = modules.standing(present, require_runtime, platform.runtime.providers.gateway)
    if found:
        yield Part("modules", "ok" if found.is_well else "degraded", found.message)


def _workers(waits_s: dict[str, float]) -> Part:
    if not waits_s:
        return Part("workers")
    idle = ", ".join(f"{queue} ({wait_s:.0f} s)" for queue, wait_s in sorted(waits_s.items()))
    return Part("workers", "degraded", f"Due jobs wait and none runs: {idle}.")


def _dispatcher(late: int) -> Part:
    if not late:
        return Part("dispatcher")
    return Part("dispatcher", "degraded", f"{late} expired leases were not rescued.")


def _redis(platform: Platform) -> Part:
    if platform.live_client.is_reachable():
        return Part("redis")
    return Part("redis", "degraded", "It does not answer; Postgres serves in its place.")
