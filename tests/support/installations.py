"""Modules that are installed by real workers, and all that is there of them."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.clock import new_id
from stellwerk.jobs.model import Job
from stellwerk.jobs.states import TERMINAL, JobStatus
from stellwerk.jobs.submission import Submission, submit
from stellwerk.modules.model import Module, ModuleInstance, ModuleRepository, ModuleSlot
from stellwerk.modules.orphans import orphans
from stellwerk.providers.services.place import modules_dir
from stellwerk.providers.services.protocol import ServiceStatus

ENDS_WITHIN_S = 120.0
SERVICES = ".services"  # the runtime's own


@dataclass(frozen=True, slots=True)
class There:
    """What is there of a module."""

    version: str | None
    instances: Sequence[str]
    services: Sequence[str]
    folders: Sequence[str]
    releases: Sequence[str]
    slots: Sequence[str]


NOTHING = There(None, (), (), (), (), ())


@dataclass(slots=True)
class Installations:
    """The modules of a platform."""

    platform: Platform
    jobs: list[UUID] = field(default_factory=list)

    def offer(self, repository: Path, public_key: str | None = None) -> int:
        """Add a repository in a folder; returns its id."""
        row = ModuleRepository(
            name=repository.name, kind="file", location=str(repository), public_key=public_key
        )
        with self.platform.runtime.sessions.begin() as session:
            session.add(row)
            session.flush()
            return row.id

    def submit(
        self, operation: str, arm: Callable[[UUID], None] | None = None, /, **payload: Any
    ) -> UUID:
        """Have something done; `arm` is called with the job's id before anybody can claim it."""
        job_id = new_id()
        if arm:
            arm(job_id)
        wanted = Submission(f"modules.{operation}", payload, owner_id=None, job_id=job_id)
        submit(self.platform.runtime, wanted)
        self.jobs.append(job_id)
        return job_id

    def job(self, job_id: UUID) -> Job:
        """The job as it is now."""
        with self.platform.runtime.sessions() as session:
            return session.get_one(Job, job_id)

    def ended(self, *job_ids: UUID) -> list[Job]:
        """The jobs, once all of them have ended."""
        wait_until(
            lambda: all(JobStatus(self.job(one).status) in TERMINAL for one in job_ids),
            timeout_s=ENDS_WITHIN_S,
        )
        return [self.job(one) for one in job_ids]

    def completed(self, *job_ids: UUID) -> list[dict[str, Any]]:
        """Their results, once all of them have completed."""
        jobs = self.ended(*job_ids)
        wrong = {str(job.id): job.error for job in jobs if job.status != "completed"}
        assert not wrong, wrong
        return [job.result or {} for job in jobs]

    def install(self, name: str, **payload: Any) -> str:
        """Install a module and return the id of its instance."""
        result = self.completed(self.submit("install", module_name=name, **payload))[0]
        return str(result["instance_id"])

    def there(self, name: str) -> There:
        """All that is there of a module."""
        services = self.platform.runtime.providers.services.states().values()
        folder = modules_dir(self.platform.settings)
        with self.platform.runtime.sessions() as session:
            module = session.get(Module, name)
            rows = select(ModuleInstance.id).where(ModuleInstance.module_name == name)
            slots = select(ModuleSlot.instance_id).where(ModuleSlot.module_name == name)
            return There(
                version=module.version if module else None,
                instances=tuple(sorted(session.scalars(rows))),
                services=tuple(
                    sorted(one.instance_id for one in services if one.module_name == name)
                ),
                folders=_names(folder.glob(f"{name}_*")),
                releases=_names(folder.glob(f"{name}_*/releases/*")),
                slots=tuple(sorted(session.scalars(slots))),
            )

    def address(self, name: str) -> str:
        """Where the module's primary instance is reached, past the gateway."""
        with self.platform.runtime.sessions() as session:
            module = session.get_one(Module, name)
            return session.get_one(ModuleInstance, module.primary_instance_id).address

    def is_tidy(self) -> bool:
        """Whether there is nothing that nobody wrote down, and nothing half installed."""
        staging = modules_dir(self.platform.settings) / ".staging"
        left = list(staging.iterdir()) if staging.exists() else []
        return not orphans(self.platform.runtime) and not left

    def remove_all(self) -> None:
        """End every service of the tests, and remove what it had."""
        services = self.platform.runtime.providers.services
        for name in services.states():
            services.remove(name)
        for path in modules_dir(self.platform.settings).iterdir():
            if path.is_dir() and path.name != SERVICES:
                shutil.rmtree(path)

    def all_run(self) -> bool:
        """Whether every service is healthy."""
        states = self.platform.runtime.providers.services.states().values()
        return all(one.status is ServiceStatus.RUNNING for one in states)


def _names(paths: Any) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in paths))
