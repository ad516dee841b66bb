"""Putting something on record, within the transaction in which it happens."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.orm import Session, SessionTransaction

from stellwerk.audit import chain
from stellwerk.audit.actions import USER, Action, Party
from stellwerk.audit.origin import Origin, present
from stellwerk.audit.sealing import INSTALLATION, Holder, ensure, holders, strangers
from stellwerk.db.engine import vault_of

LONGEST_TARGET = 200

_LOOKED = text("""
    SELECT 1 FROM audit_entries e JOIN audit_subject_keys k ON k.id = e.actor
    WHERE e.target = :target AND e.target <> '' AND e.at > now() - interval '1 hour'
        AND e.action = :action AND k.user_id = :actor LIMIT 1
""")
_NOTED = "audit"  # in a session's `info`


@dataclass(frozen=True, slots=True)
class Noted:
    """What is put on record when its transaction commits."""

    action: Action
    actor: int | Party
    subject_user_id: int | None
    target: str
    details: Mapping[str, Any]
    origin: Origin
    within: SessionTransaction | None  # the savepoint with which it is undone

    def holders(self) -> Iterator[int | str]:
        """Whose pseudonyms and keys are needed."""
        if not isinstance(self.actor, Party):
            yield self.actor
        if self.subject_user_id is not None:
            yield self.subject_user_id
        if self.details:
            yield self.details_holder()
        if self.origin.known():
            yield self.origin_holder()

    def details_holder(self) -> int | str:
        """Under whose key the details are."""
        if self.subject_user_id is not None:
            return self.subject_user_id
        return strangers() if self.actor is Party.NOBODY else INSTALLATION

    def origin_holder(self) -> int | str:
        """Under whose key it is where this came from."""
        if isinstance(self.actor, Party):
            return self.details_holder()
        return self.actor


def record(
    session: Session,
    *,
    action: Action,
    actor: int | Party,
    subject_user_id: int | None = None,
    target: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Put on record what happens in this transaction; it stands there if that commits.

    `actor`: the id of the user who acts, or a Party. `subject_user_id`: whose account or things it
    is about. `target`: what else, as `noun:id`; it stays readable for good, so it must name no
    person. `details`: JSON, readable until the subject is erased. Appended at the end of the
    transaction, wherever in it this is called.
    """
    if not session.in_transaction():
        session.begin()  # else a rollback would not be noticed
    noted: list[Noted] | None = session.info.get(_NOTED)
    if noted is None:
        noted = session.info[_NOTED] = []
        event.listen(session, "before_commit", _append)
        event.listen(session, "after_soft_rollback", _forget)
    noted.append(
        Noted(
            action=action,
            actor=actor,
            subject_user_id=subject_user_id,
            target=target[:LONGEST_TARGET],
            details=dict(details or {}),
            origin=present(),
            within=session.get_nested_transaction(),
        )
    )


def prepare(session: Session, subject_user_id: int | None) -> None:
    """Make the key that an entry of nobody's about that user, or about none, is sealed with.

    With it an entry takes the same statements for everybody, whether there was one already or not.
    """
    ensure(session, vault_of(session), strangers() if subject_user_id is None else subject_user_id)


def record_look(
    session: Session, *, action: Action, actor: int, target: str, subject_user_id: int | None = None
) -> None:
    """Put on record that somebody looked at what is not theirs, once an hour for each target."""
    if session.execute(_LOOKED, {"actor": actor, "action": action.value, "target": target}).first():
        return
    record(session, action=action, actor=actor, subject_user_id=subject_user_id, target=target)


def _append(session: Session) -> None:
    noted: list[Noted] = session.info[_NOTED]
    if not noted or session.in_nested_transaction():
        return
    vault = vault_of(session)
    session.flush()  # now, and not while others wait for the head
    known = holders(session, vault, {holder for one in noted for holder in one.holders()})
    chain.append(session, vault, [_columns(one, known) for one in noted])
    noted.clear()


def _forget(session: Session, rolled_back: SessionTransaction) -> None:
    """What was noted in a transaction or savepoint that is undone did not happen."""
    noted: list[Noted] = session.info[_NOTED]
    if rolled_back.parent is None:
        noted.clear()
    else:
        noted[:] = [one for one in noted if not _is_within(one.within, rolled_back)]


def _is_within(savepoint: SessionTransaction | None, rolled_back: SessionTransaction) -> bool:
    while savepoint is not None and savepoint is not rolled_back:
        savepoint = savepoint.parent
    return savepoint is not None


def _columns(noted: Noted, known: Mapping[int | str, Holder]) -> dict[str, Any]:
    is_user = not isinstance(noted.actor, Party)
    return {
        "action": noted.action.value,
        "actor_kind": USER if is_user else str(noted.actor),
        "actor": _id(known.get(noted.actor)) if is_user else None,
        "subject": _id(known.get(noted.subject_user_id or 0)),
        "target": noted.target,
        **_sealed("origin", noted.origin.known(), known.get(noted.origin_holder())),
        **_sealed("details", noted.details, known.get(noted.details_holder())),
    }


def _sealed(what: str, content: Mapping[str, Any], holder: Holder | None) -> dict[str, Any]:
    if not content or holder is None:
        return {f"{what}_key": None, what: None}
    return {f"{what}_key": holder.id, what: holder.seal(what, content)}


def _id(holder: Holder | None) -> Any:
    return holder.id if holder else None
