"""Puts a version of a module into place: its archive, its folders, its services, their health."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stellwerk.errors import NotFound
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.interruptions import LeaseLost
from stellwerk.modules import indices
from stellwerk.modules.indices import Offer
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.orphans import STAGING, busy
from stellwerk.modules.services import Place, environment_of, spec_of
from stellwerk.providers.repositories.index import dumped, loaded
from stellwerk.providers.repositories.protocol import Entry, Source
from stellwerk.providers.services.place import modules_dir
from stellwerk.providers.services.protocol import ServiceSpec
from stellwerk.providers.services.removal import remove_tree
from stellwerk_workers.modules.health import await_health

PASSABLE = 0o711


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
        remove_tree(self._archive.parent)

    def _fill(self, target: Path) -> None:
        """By way of a folder of this attempt alone: an earlier one may yet wake up and go on."""
        fresh = target.with_name(f"{target.name}.{self._ctx.attempt}")
        remove_tree(fresh)
        if self._found.copied_from:
            shutil.copytree(self._found.copied_from, fresh)
        else:
            self.verify()  # what is unpacked, whoever verified what before
            unpack = self._runtime.providers.repositories.unpack
            unpack(self._found.entry, self._archive, fresh, lambda _: self._ctx.check())
        _move(fresh, target)
        for left in target.parent.glob(f"{target.name}.*"):
            remove_tree(left)

    def _fetched(self) -> None:
        """The archive was on the disk of a worker; another one may have come since."""
        if not self._archive.exists():
            self.download()

    def create(self) -> None:
        """A service for each instance that runs."""
        for place in self._found.places:
            spec = spec_of(self._runtime, place, self._found.entry, self._variables(place))
            self._runtime.providers.services.refuse(spec)
            create(self._ctx, spec)

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


def _move(fresh: Path, target: Path) -> None:
    """All of it at once, unless another attempt was quicker."""
    try:
        fresh.rename(target)
    except OSError:
        if not target.exists():
            raise
        remove_tree(fresh)


def create(ctx: JobContext, spec: ServiceSpec) -> None:
    """Make a service, and take it back where this attempt turns out to have been replaced.

    Its successor may have ended long ago, and the module may be gone. Raises LeaseLost then.
    """
    ctx.runtime.providers.services.create(spec)
    passed(ctx, "create service")
    try:
        with ctx.transaction():
            return
    except LeaseLost:
        if _is_nobodys(ctx, spec):
            ctx.runtime.providers.services.remove(spec.name)
        raise


def _is_nobodys(ctx: JobContext, spec: ServiceSpec) -> bool:
    with ctx.runtime.sessions() as session:
        row = session.get(ModuleInstance, spec.instance_id)
        is_free = spec.module_name not in busy(session)
    return is_free and (row is None or row.service != spec.name)


def found_of(offer: Offer, *places: Place) -> Found:
    """An offer, into these places."""
    return Found(offer.entry, offer.repository_id, places)
