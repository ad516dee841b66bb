"""Places of instances: two ports and a user each, claimed before anything is made."""

import socket

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
    candidates = session.scalars(_free(settings.module_instances))
    free = next((slot for slot in candidates if _listens_nobody(settings, slot)), None)
    if free is None:
        message = f"All places of {settings.module_instances} instances are taken."
        raise JobFailed(message, code=ErrorCode.MODULE_PLACES_TAKEN)
    session.add(ModuleSlot(slot=free, instance_id=instance_id, module_name=module_name))
    session.flush()
    return free


def _listens_nobody(settings: Settings, slot: int) -> bool:
    """Whether both ports are free on this machine, where other programs run too."""
    try:
        for generation in (1, 2):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
                probe.bind(("127.0.0.1", settings.module_port(slot, generation)))
    except OSError:
        return False
    return True


def _free(number: int) -> Select[int]:
    places = func.generate_series(0, number - 1).column_valued("slot")
    taken = select(ModuleSlot.slot)
    return select(places).where(places.not_in(taken)).order_by(places)


def slot_of(session: Session, instance_id: str) -> int | None:
    """The slot of an instance, if it has one."""
    return session.scalar(select(ModuleSlot.slot).where(ModuleSlot.instance_id == instance_id))


def release(session: Session, instance_id: str) -> None:
    """Give it to others."""
    session.execute(delete(ModuleSlot).where(ModuleSlot.instance_id == instance_id))
