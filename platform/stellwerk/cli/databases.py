"""The database with its sealed values, for commands that look after them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

from stellwerk.bootstrap import sealed
from stellwerk.db.engine import Sessions, build_engine, build_sessions
from stellwerk.db.holdings import Holding
from stellwerk.settings import Settings
from stellwerk.vault import Vault


@dataclass(frozen=True, slots=True)
class Opened:
    """A database and its keys."""

    engine: Engine
    sessions: Sessions
    vault: Vault
    holdings: Sequence[Holding]


@contextmanager
def opened(settings: Settings) -> Iterator[Opened]:
    """Connections that have every key, the keys, and what is held under them."""
    vault = Vault(settings.encryption_keys())
    engine = build_engine(settings.database(), pool_size=2, role="keys", vault=vault)
    try:
        yield Opened(engine, build_sessions(engine, vault), vault, sealed())
    finally:
        engine.dispose()
