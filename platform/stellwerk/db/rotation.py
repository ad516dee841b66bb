"""Moves everything that is under an older key to the present one, while the system runs.

In batches, each a short transaction of its own; whoever ends it and begins again goes on where
there is something left. Both keys are readable meanwhile, so that no reader notices.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, text

from stellwerk.db.engine import Sessions
from stellwerk.db.holdings import Holding
from stellwerk.errors import Conflict
from stellwerk.vault import Vault

BATCH = 200  # rows in one transaction
PAUSE_S = 0.05  # after each, so that it takes a share of the disk and not all of it
ROUNDS = 100  # over rows that somebody held each time
LOCK = 7_238_012  # advisory: one rotation at a time

_ALONE = text("SELECT pg_try_advisory_lock(:lock)")
_NO_MORE = text("SELECT pg_advisory_unlock(:lock)")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a holding is: rows moved in this run."""

    name: str
    moved: int
    is_done: bool


@dataclass(frozen=True, slots=True)
class Rotation:
    """One run over all that is held."""

    engine: Engine
    sessions: Sessions
    vault: Vault
    holdings: Sequence[Holding]
    batch: int = BATCH
    pause_s: float = PAUSE_S
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> Iterator[Progress]:
        """Move it all, telling how far it is after each batch.

        Raises ConfigurationError where something is under a key that is not there, Conflict while
        another run is under way or where rows are held by others for good.
        """
        with self._alone():
            for holding in self.holdings:
                yield from self._moved(holding)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.engine.connect() as waiting:
            connection = waiting.execution_options(isolation_level="AUTOCOMMIT")  # for hours
            if not connection.scalar(_ALONE, {"lock": LOCK}):
                raise Conflict("Another rotation is under way.")
            try:
                yield
            finally:
                connection.scalar(_NO_MORE, {"lock": LOCK})

    def _moved(self, holding: Holding) -> Iterator[Progress]:
        moved = 0
        for _ in range(ROUNDS):
            for rows in self._round(holding):
                moved += rows
                yield Progress(holding.name, moved, is_done=False)
            if not self._is_left(holding):
                yield Progress(holding.name, moved, is_done=True)
                return
            self.sleep(self.pause_s)
        raise Conflict(f"Rows of {holding.name} are held by others. Run it again later.")

    def _round(self, holding: Holding) -> Iterator[int]:
        after = None
        while True:
            with self.sessions.begin() as session:
                page = holding.move(session, self.vault, after, self.batch)
            if page.last is None:
                return
            after = page.last
            yield page.moved
            self.sleep(self.pause_s)

    def _is_left(self, holding: Holding) -> bool:
        with self.sessions() as session:
            return bool(set(holding.counts(session, self.vault)) - {self.vault.present_key})
