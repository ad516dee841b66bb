"""What the ledger has that a listener was not told."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from stellwerk.jobs import queries
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.ports import Change

_NEWER = text("""
    SELECT j.id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[])) AS known (id, version)
    JOIN jobs j ON j.id = known.id AND j.version > known.version
""")


def newer(session: Session, registry: Registry, known: Mapping[UUID, int]) -> list[Change]:
    """The jobs whose version is above the known one, as they are now."""
    values = {"ids": list(known), "versions": list(known.values())}
    return queries.changes(session, registry, session.scalars(_NEWER, values).all())
