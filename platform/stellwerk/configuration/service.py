"""Reading and changing the configuration in the ledger."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record
from stellwerk.configuration.entries import ENTRIES
from stellwerk.configuration.entry import Entry
from stellwerk.configuration.model import ConfigurationChange
from stellwerk.errors import Conflict, ErrorCode, FieldError, InvalidInput, NotFound

HISTORY_MOST = 200  # changes shown of an entry

# One change after another, so that revisions become visible in their order.
_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended('configuration', 0))")


def entry_of(name: str) -> Entry[Any]:
    """The entry of that name; raises NotFound."""
    if name not in ENTRIES:
        raise NotFound(f"There is no entry {name[:80]!r}. GET /api/v1/admin/config lists them.")
    return ENTRIES[name]


def changes(session: Session) -> dict[str, ConfigurationChange]:
    """The newest change of each entry that was ever changed, by name."""
    query = (
        select(ConfigurationChange)
        .ext(distinct_on(ConfigurationChange.name))
        .order_by(ConfigurationChange.name, ConfigurationChange.revision.desc())
    )
    return {change.name: change for change in session.scalars(query)}


def revision(session: Session) -> int:
    """Of the configuration as a whole: how often it was changed."""
    return session.scalar(select(func.max(ConfigurationChange.revision))) or 0


def history(session: Session, name: str) -> Sequence[ConfigurationChange]:
    """An entry's changes, newest first."""
    query = select(ConfigurationChange).where(ConfigurationChange.name == name)
    newest_first = query.order_by(ConfigurationChange.revision.desc())
    return session.scalars(newest_first.limit(HISTORY_MOST)).all()


def change(session: Session, values: Mapping[str, Any], *, seen: int | None, by: int) -> int:
    """Set entries; returns the new revision.

    `seen`: the revision that the change is based on; None changes whatever there is. Raises
    InvalidInput naming each wrong entry and field, and Conflict (CONFIGURATION_CHANGED).
    """
    _refuse_wrong(values)
    return _write(session, values, seen=seen, by=by)


def reset(session: Session, name: str, *, seen: int | None, by: int) -> int:
    """Let an entry go back to its default; raises NotFound, and Conflict as `change` does."""
    return _write(session, {entry_of(name).name: None}, seen=seen, by=by)


def _refuse_wrong(values: Mapping[str, Any]) -> None:
    wrong: list[FieldError] = []
    for name, value in values.items():
        place = f"values.{name}"
        if name not in ENTRIES:
            wrong.append(FieldError(place, _unknown(name)))
            continue
        try:
            ENTRIES[name].parse(value, place)
        except InvalidInput as exc:
            wrong += exc.errors
    if wrong:
        raise InvalidInput("The configuration cannot be changed like this.", errors=wrong)


def _unknown(name: str) -> str:
    close = get_close_matches(name, ENTRIES, n=1)
    return "There is no such entry." + (f" Did you mean {close[0]}?" if close else "")


def _write(session: Session, values: Mapping[str, Any], *, seen: int | None, by: int) -> int:
    session.execute(_TAKE_TURNS)
    present = changes(session)
    if seen is not None:
        _refuse_changed(present, values, seen)
    newest = max((one.revision for one in present.values()), default=0) + 1
    for name, value in values.items():
        session.add(ConfigurationChange(name=name, revision=newest, value=value, changed_by=by))
        record(
            session,
            action=Action.CONFIGURATION_RESET if value is None else Action.CONFIGURATION_CHANGED,
            actor=by,
            target=f"configuration:{name}",
            details={"version": newest, "value": value},
        )
    session.flush()
    return newest


def _refuse_changed(
    present: Mapping[str, ConfigurationChange], names: Collection[str], seen: int
) -> None:
    """Somebody may have changed other entries meanwhile, not these."""
    newer = {name: present[name].revision for name in names if name in present}
    newer = {name: revision for name, revision in newer.items() if revision > seen}
    if newer:
        message = f"{', '.join(newer)} changed after version {seen}. Read it and decide again."
        raise Conflict(message, code=ErrorCode.CONFIGURATION_CHANGED, details={"versions": newer})
