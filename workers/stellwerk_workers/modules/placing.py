"""Puts a version of a module into place: its archive, its folders, its services, their health."""

import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stellwerk.errors import ErrorCode, JobFailed, NotFound
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.modules import indices, slots
from stellwerk.modules.indices import Offer
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.services import Place, environment_of, spec_of
from stellwerk.providers.repositories.index import dumped, loaded
from stellwerk.providers.repositories.protocol import Entry, Source
from stellwerk.providers.services.place import modules_dir
from stellwerk.providers.services.protocol import ServiceState, ServiceStatus

LOOK_EVERY_S = 0.2
MOST_RESTARTS = 3  # of what is being installed: it will not do better later
LOG_LINES = 20
PASSABLE = 0o711
STAGING = ".staging"  # below the folder of modules: what is being installed


@dataclass(frozen=True, slots=True)
class Found:
    """What an operation resolved to: stored with its first step."""

    entry: Entry
    repository_id: int | None
    places: tuple[Place, ...]  # of the instances whose service is to run
    resting: tuple[Place, ...] = ()  # of those that are stopped
    copied_from: str = ""  # a release that is there already, instead of an archive

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "entry": dumped(self.entry),
            "repository_id": self.repository_id,
            "places": [asdict(place) for place in self.places],
            "resting": [asdict(place) for place in self.resting],
            "copied_from": self.copied_from,
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Found":
        """From JSON."""
        return cls(
            loaded(stored["entry"]),
            stored["repository_id"],
            tuple(Place(**place) for place in stored["places"]),
            tuple(Place(**place) for place in stored["resting"]),
            stored["copied_from"],
        )


class Placing:
    """The steps that bring a version into its places; each may be repeated."""

    def __init__(
        self, ctx: JobContext, found: Found, environment: Mapping[str, str] | None = None
    ) -> None:
        self._ctx = ctx
        self._found = found
        self._environment = dict(environment or {})
        self._runtime = ctx.runtime
        self._settings = ctx.runtime.settings

    @property
    def _everywhere(self) -> tuple[Place, ...]:
        return self._found.places + self._found.resting

    def carry_out(self) -> dict[str, str]:
        """All of them; returns the addresses of the services, by name."""
        ctx = self._ctx
        ctx.step("download", self.download)
        ctx.step("verify", self.verify)
        ctx.step("unpack", self.unpack)
        ctx.step("create service", self.create)
        return ctx.step("health", self.await_health)

    def download(self) -> None:
        """The archive, unless the version is on this machine already."""
        if self._found.copied_from:
            self._ctx.log("copied from an instance that is there")
            return
        entry, archive = self._found.entry, self._archive
        archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        size = entry.size_bytes

        def progress(share: float) -> None:
            self._ctx.progress(share, f"{int(share * size)} of {size} bytes")

        self._runtime.providers.repositories.download(self._source, entry, archive, progress)

    def verify(self) -> None:
        """Size, checksum and signature, before anything is unpacked."""
        if self._found.copied_from:
            return
        self._fetched()
        self._runtime.providers.repositories.verify(self._source, self._found.entry, self._archive)

    def unpack(self) -> None:
        """A release in the folder of each instance."""
        for number, place in enumerate(self._everywhere):
            target = place.path(self._settings) / place.release
            if target.exists():
                continue  # it is all there: it was renamed into place
            _open_way(place.path(self._settings), target.parent)
            self._fill(target)
            passed(self._ctx, "unpack")
            self._ctx.progress((number + 1) / len(self._everywhere), "unpacked")
        shutil.rmtree(self._archive.parent, ignore_errors=True)

    def _fill(self, target: Path) -> None:
        if self._found.copied_from:
            _copy(Path(self._found.copied_from), target)
            return
        self._fetched()
        unpack = self._runtime.providers.repositories.unpack
        unpack(self._found.entry, self._archive, target, lambda _: self._ctx.check())

    def _fetched(self) -> None:
        """The archive was on the disk of a worker; another one may have come since."""
        if not self._archive.exists():
            self.download()

    def create(self) -> None:
        """A service for each instance that runs."""
        for place in self._found.places:
            spec = spec_of(self._runtime, place, self._found.entry, self._variables(place))
            self._runtime.providers.services.refuse(spec)
            self._runtime.providers.services.create(spec)
            passed(self._ctx, "create service")
            self._ctx.check()

    def _variables(self, place: Place) -> dict[str, str]:
        with self._runtime.sessions() as session:
            row = session.get(ModuleInstance, place.instance_id)
            return self._environment if row is None else environment_of(self._runtime.vault, row)

    def await_health(self) -> dict[str, str]:
        """The addresses of the services; raises JobFailed (MODULE_UNHEALTHY)."""
        names = [place.service(self._settings) for place in self._found.places]
        return await_health(self._ctx, names)

    @cached_property
    def _archive(self) -> Path:
        return staging(self._ctx) / "archive.tar.gz"

    @cached_property
    def _source(self) -> Source:
        if self._found.repository_id is None:
            raise NotFound("The repository is not there any more.")
        with self._runtime.sessions() as session:
            return indices.source_of(indices.repository(session, self._found.repository_id))


def passed(ctx: JobContext, step: str) -> None:
    """Where tests have a worker die, after something was done and before it is stored."""
    reach(ctx.runtime, CrashPoint.WITHIN_STEP, ctx.job_id, step=step)


def staging(ctx: JobContext) -> Path:
    """The folder in which this job collects what it installs."""
    return modules_dir(ctx.runtime.settings) / STAGING / str(ctx.job_id)


def _open_way(*folders: Path) -> None:
    """Make folders that a module's own user passes through to its release."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(PASSABLE)  # whatever the umask is


def _copy(source: Path, target: Path) -> None:
    """The copy is all there, or is not there."""
    fresh = target.with_name(f".{target.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(source, fresh)
    fresh.rename(target)


def found_of(offer: Offer, *places: Place) -> Found:
    """An offer, into these places."""
    return Found(offer.entry, offer.repository_id, places)


def await_health(ctx: JobContext, names: Collection[str]) -> dict[str, str]:
    """Wait until services are healthy; returns their addresses.

    Raises JobFailed (MODULE_UNHEALTHY) for the first that is not, with the end of its log.
    """
    within_s = ctx.runtime.settings.module_health_within_s
    until = time.monotonic() + within_s
    while True:
        states = ctx.runtime.providers.services.states()
        known = [states[name] for name in names if name in states]
        _refuse_fallen(ctx, known)
        healthy = [state for state in known if state.status is ServiceStatus.RUNNING]
        if len(healthy) == len(names):
            return {state.name: state.address for state in healthy}
        if time.monotonic() > until:
            waiting = [state for state in known if state not in healthy]
            raise _unhealthy(ctx, waiting, f"is not healthy after {within_s:g} s")
        ctx.progress(len(healthy) / len(names), f"{len(healthy)} of {len(names)} healthy")
        ctx.sleep(LOOK_EVERY_S)


def _refuse_fallen(ctx: JobContext, states: Sequence[ServiceState]) -> None:
    ill = (ServiceStatus.FAILED, ServiceStatus.UNHEALTHY, ServiceStatus.STOPPED)
    fallen = [state for state in states if state.status in ill]
    if fallen:
        raise _unhealthy(ctx, fallen, f"is {fallen[0].status}")
    ending = [state for state in states if state.restarts >= MOST_RESTARTS]
    if ending:
        raise _unhealthy(ctx, ending, "ends again and again")


def _unhealthy(ctx: JobContext, states: Sequence[ServiceState], how: str) -> JobFailed:
    if not states:
        message = f"The service {how}: the runtime knows nothing of it."
        return JobFailed(message, code=ErrorCode.MODULE_UNHEALTHY)
    state = states[0]
    why = f" ({state.message})" if state.message else ""
    lines = last_lines(ctx, state.name)
    message = f"{state.module_name} {state.version} {how}{why}."
    details = {"service": state.name, "log": lines}
    return JobFailed(message, code=ErrorCode.MODULE_UNHEALTHY, details=details)


def last_lines(ctx: JobContext, name: str) -> list[str]:
    """The end of a service's log; nothing where it has none."""
    try:
        return list(ctx.runtime.providers.services.logs(name, tail=LOG_LINES).lines)
    except NotFound:
        return []


# Rolling back: what no instance that is written down uses goes away.


def undo_services(ctx: JobContext, found: Found) -> None:
    """Remove services that are not those of their instances."""
    for place in found.places:
        name = place.service(ctx.runtime.settings)
        row = _row(ctx, place)
        if row is None or row.service != name:
            ctx.runtime.providers.services.remove(name)


def undo_folders(ctx: JobContext, found: Found) -> None:
    """Remove releases that are not those of their instances, and folders of nobody."""
    for place in found.places + found.resting:
        path = place.path(ctx.runtime.settings)
        row = _row(ctx, place)
        if row is None:
            shutil.rmtree(path, ignore_errors=True)
        elif row.release != place.release:
            shutil.rmtree(path / place.release, ignore_errors=True)


def undo_staging(ctx: JobContext) -> None:
    """Remove what was collected."""
    shutil.rmtree(staging(ctx), ignore_errors=True)


def undo_slot(ctx: JobContext, instance_id: str) -> None:
    """Give the place of an instance back that did not come to be."""
    with ctx.transaction() as session:
        if session.get(ModuleInstance, instance_id) is None:
            slots.release(session, instance_id)


def _row(ctx: JobContext, place: Place) -> ModuleInstance | None:
    with ctx.runtime.sessions() as session:
        return session.get(ModuleInstance, place.instance_id)


def found_again(ctx: JobContext) -> Found | None:
    """What the first step stored; None where it did not come to that."""
    known = ctx.recorded("resolve")
    return Found.read(known.output) if known and known.output else None
