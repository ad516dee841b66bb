"""Places of instances: two ports and a user each, claimed before anything is made."""

from sqlalchemy import Select, delete, func, select, text
from sqlalchemy.orm import Session

from stellwerk.errors import ErrorCode, JobFailed
from stellwerk.modules.model import ModuleSlot
from stellwerk.settings import Settings

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('module_slots'))")


def claim(session: Session, settings: Settings, module_name: str, instance_id: str) -> int:
    """The slot of an instance: the one it has, else the lowest that is free.

    Raises JobFailed (MODULE_PLACES_TAKEN) where there is none.
    """
    session.execute(_LOCK)
    mine = session.scalar(select(ModuleSlot.slot).where(ModuleSlot.instance_id == instance_id))
    if mine is not None:
        return mine
    free = session.scalar(_free(settings.module_instances))
    if free is None:
        message = f"All places of {settings.module_instances} instances are taken."
        raise JobFailed(message, code=ErrorCode.MODULE_PLACES_TAKEN)
    session.add(ModuleSlot(slot=free, instance_id=instance_id, module_name=module_name))
    session.flush()
    return free


def _free(number: int) -> Select[tuple[int | None]]:
    places = func.generate_series(0, number - 1).column_valued("slot")
    taken = select(ModuleSlot.slot)
    return select(func.min(places)).where(places.not_in(taken))


def slot_of(session: Session, instance_id: str) -> int | None:
    """The slot of an instance, if it has one."""
    return session.scalar(select(ModuleSlot.slot).where(ModuleSlot.instance_id == instance_id))


def release(session: Session, instance_id: str) -> None:
    """Give it to others."""
    session.execute(delete(ModuleSlot).where(ModuleSlot.instance_id == instance_id))
