"""Services and folders that nobody wrote down: reported, and never removed by themselves."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.states import JobStatus
from stellwerk.modules.model import ModuleInstance, ModuleOperation
from stellwerk.providers.services.place import modules_dir
from stellwerk.providers.services.protocol import ServiceState

_FOLDER = re.compile(r"^(.+)_([0-9a-f]{32})$")


@dataclass(frozen=True, slots=True)
class Orphan:
    """`kind` is service or folder."""

    kind: str
    name: str
    module_name: str


def busy(session: Session) -> frozenset[str]:
    """Modules on which an operation is at work: what is there of them is not settled."""
    has_begun = or_(Job.status != JobStatus.QUEUED.value, Job.attempt > 0)
    query = (
        select(ModuleOperation.module_name)
        .join(Job, Job.id == ModuleOperation.job_id)
        .where(ModuleOperation.is_active, has_begun)
    )
    return frozenset(session.scalars(query))


def orphans(runtime: Runtime, states: Mapping[str, ServiceState] | None = None) -> list[Orphan]:
    """What runs, or lies there, without a row.

    Services and folders are looked at before the rows, so that what came to be since is in these,
    and once more after them, since some may have gone. Raises ProviderUnavailable.
    """
    services = runtime.providers.services
    if states is None:
        states = services.states()
    folders = _folders(runtime)
    with runtime.sessions() as session:
        at_work = busy(session)
        rows = session.execute(select(ModuleInstance.service, ModuleInstance.id)).all()
    known, ids = {row.service for row in rows}, {row.id for row in rows}
    found = [
        Orphan("service", name, state.module_name)
        for name, state in states.items()
        if name not in known and state.module_name not in at_work and services.state(name)
    ]
    base = modules_dir(runtime.settings)
    return found + [
        Orphan("folder", name, module_name)
        for name, (module_name, instance_id) in folders.items()
        if instance_id not in ids and module_name not in at_work and (base / name).exists()
    ]


def _folders(runtime: Runtime) -> dict[str, tuple[str, str]]:
    names = (path.name for path in modules_dir(runtime.settings).iterdir())
    matches = (match for match in map(_FOLDER.match, names) if match)
    return {match[0]: (match[1], match[2]) for match in matches}
