"""What of modules nobody wrote down: reported, and never removed by itself."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from stellwerk.errors import ProviderUnavailable
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.states import JobStatus
from stellwerk.modules.model import ModuleInstance, ModuleOperation, ModuleSlot
from stellwerk.providers.services.place import known_modules_dir
from stellwerk.providers.services.protocol import ServiceState

_FOLDER = re.compile(r"^(.+)_([0-9a-f]{32})$")


RELEASES = "releases"  # below the folder of an instance
STAGING = ".staging"  # below the folder of modules: a folder for each job that installs

# In one statement: a job that begins meanwhile is seen with its slot, or neither is.
_FREE_SLOTS = (
    select(ModuleSlot.instance_id, ModuleSlot.module_name)
    .where(
        ~exists().where(ModuleInstance.id == ModuleSlot.instance_id),
        ~exists().where(
            ModuleOperation.module_name == ModuleSlot.module_name, ModuleOperation.is_active
        ),
    )
    .order_by(ModuleSlot.slot)
)


class OrphanKind(StrEnum):
    """What nobody wrote down."""

    SERVICE = "service"
    FOLDER = "folder"  # of an instance
    RELEASE = "release"  # of an instance that runs another one
    STAGING = "staging"  # what a job collected that has ended
    SLOT = "slot"  # a place of no instance: its name is the id of that


@dataclass(frozen=True, slots=True)
class Orphan:
    """`name` of what lies there is its path below the folder of modules."""

    kind: OrphanKind
    name: str
    module_name: str  # empty where nobody knows


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
    """What runs, lies there, or is kept without a row.

    Services and folders are looked at before the rows, so that what came to be since is in these,
    and once more after them, since some may have gone. Raises ProviderUnavailable.
    """
    services = runtime.providers.services
    if states is None:
        states = services.states()
    lying = _lying(runtime)
    with runtime.sessions() as session:
        written = _written(session)
        slots = session.execute(_FREE_SLOTS).all()
    return [
        *(
            Orphan(OrphanKind.SERVICE, name, state.module_name)
            for name, state in states.items()
            if _is_strange_service(written, state) and services.state(name)
        ),
        *(one for one in _strange(lying, written) if (lying.base / one.name).exists()),
        *(Orphan(OrphanKind.SLOT, slot.instance_id, slot.module_name) for slot in slots),
    ]


@dataclass(frozen=True, slots=True)
class _Lying:
    """What lies in the folder of modules, by its path there."""

    base: Path
    folders: Mapping[str, tuple[str, str]]  # to module and instance
    releases: Mapping[str, str]  # to its folder
    staging: Mapping[str, str]  # to the id of its job


@dataclass(frozen=True, slots=True)
class _Written:
    """What is written down of instances and operations."""

    at_work: frozenset[str]  # modules
    services: frozenset[str]
    releases: Mapping[str, str]  # of instances, by their ids
    jobs: Mapping[str, tuple[str, bool]]  # by their ids: about which module, and whether unfinished


def _lying(runtime: Runtime) -> _Lying:
    base = known_modules_dir(runtime.settings)
    if base is None:
        return _Lying(runtime.settings.home, {}, {}, {})
    try:
        matches = [match for match in map(_FOLDER.match, _names(base)) if match]
        folders = {match[0]: (match[1], match[2]) for match in matches}
        releases = {
            f"{folder}/{RELEASES}/{name}": folder
            for folder in folders
            for name in _names(base / folder / RELEASES)
        }
        staging = {f"{STAGING}/{name}": name for name in _names(base / STAGING)}
    except OSError as exc:
        raise ProviderUnavailable(f"{exc.filename}: {exc.strerror}.") from exc
    return _Lying(base, folders, releases, staging)


def _names(folder: Path) -> list[str]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(path.name for path in folder.iterdir())
    return []


def _written(session: Session) -> _Written:
    at_work = busy(session)
    rows = session.execute(
        select(ModuleInstance.id, ModuleInstance.service, ModuleInstance.release)
    ).all()
    operations = session.scalars(select(ModuleOperation))
    return _Written(
        at_work,
        frozenset(row.service for row in rows),
        {row.id: row.release for row in rows},
        {str(one.job_id): (one.module_name, one.is_active) for one in operations},
    )


def _is_strange_service(written: _Written, state: ServiceState) -> bool:
    return state.name not in written.services and state.module_name not in written.at_work


def _strange(lying: _Lying, written: _Written) -> Iterator[Orphan]:
    """Releases of a folder that is strange itself go with it."""
    for folder, (module_name, instance_id) in lying.folders.items():
        if instance_id not in written.releases and module_name not in written.at_work:
            yield Orphan(OrphanKind.FOLDER, folder, module_name)
    for path, folder in lying.releases.items():
        module_name, instance_id = lying.folders[folder]
        release = written.releases.get(instance_id)
        is_mine = release is None or path == f"{folder}/{release}"
        if not is_mine and module_name not in written.at_work:
            yield Orphan(OrphanKind.RELEASE, path, module_name)
    for path, job_id in lying.staging.items():
        module_name, is_unfinished = written.jobs.get(job_id, ("", False))
        if not is_unfinished:
            yield Orphan(OrphanKind.STAGING, path, module_name)
