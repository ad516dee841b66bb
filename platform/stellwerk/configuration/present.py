"""The configuration as a process has it: read from the ledger every two seconds by a thread.

Asking for a value costs nothing: no process waits for Postgres to answer a request, and while
Postgres is gone the last known values hold.
"""

import os
from collections.abc import Mapping
from threading import Event, Lock, Thread
from types import MappingProxyType
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.configuration.entries import ENTRIES, defaults
from stellwerk.configuration.entry import Entry
from stellwerk.db.direct import Direct, prepared
from stellwerk.errors import InvalidInput

EVERY_S = 2.0
FIRST_WITHIN_S = 2.0  # how long the first question waits for the first reading

_NEWEST = prepared(
    "configuration_newest",
    """
    SELECT DISTINCT ON (name) name, value FROM configuration_changes
    WHERE revision >= :lowest ORDER BY name, revision DESC
    """,
    lowest="int",
)

Value = TypeVar("Value")
log = structlog.get_logger()


class Configuration:
    """One process's view; `chosen` are the installation's own defaults."""

    def __init__(self, direct: Direct, chosen: Mapping[str, Any]) -> None:
        self._direct = direct
        self._defaults = defaults(chosen)
        self._held: Mapping[str, Any] = {}
        self._values = self._parsed({})
        self._process_id = 0
        self._closed = Event()
        self._lock = Lock()

    def __getitem__(self, entry: Entry[Value]) -> Value:
        """The value in force."""
        value: Value = self.values()[entry.name]
        return value

    def values(self) -> Mapping[str, Any]:
        """All values in force: the same object for as long as none of them changes."""
        if self._process_id != os.getpid():
            self._follow()
        return self._values

    def default(self, name: str) -> Any:
        """What holds where nobody changed the entry, as JSON."""
        return self._defaults[name]

    def refresh(self) -> None:
        """Read the ledger now; raises SQLAlchemyError."""
        held = dict(self._direct.rows(_NEWEST, {"lowest": 0}))
        if held != self._held:
            self._held, self._values = held, self._parsed(held)

    def close(self) -> None:
        """Read no more."""
        self._closed.set()

    def _follow(self) -> None:
        """A fork has no threads of its parent's."""
        with self._lock:
            if self._process_id == os.getpid():
                return
            was_read = Event()
            Thread(
                target=self._read_on, args=(was_read,), name="configuration", daemon=True
            ).start()
            was_read.wait(FIRST_WITHIN_S)
            self._process_id = os.getpid()

    def _read_on(self, was_read: Event) -> None:
        while not self._closed.is_set():
            try:
                self.refresh()
            except SQLAlchemyError as exc:
                log.warning("configuration not read", reason=str(exc).splitlines()[0])
            was_read.set()
            self._closed.wait(EVERY_S)

    def _parsed(self, held: Mapping[str, Any]) -> Mapping[str, Any]:
        return MappingProxyType({name: self._value(name, held.get(name)) for name in ENTRIES})

    def _value(self, name: str, held: Any) -> Any:
        """A stored value that another release took and this one does not is left alone."""
        entry, default = ENTRIES[name], self._defaults[name]
        try:
            return entry.parse(default if held is None else held)
        except InvalidInput as exc:
            log.warning("configured value not usable", entry=name, reason=exc.message)
            return entry.parse(default)
