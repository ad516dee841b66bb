"""What an instance's service is made from."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from stellwerk.jobs.runtime import Runtime
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.names import folder_name, service_name
from stellwerk.providers.repositories.index import loaded
from stellwerk.providers.repositories.protocol import Entry
from stellwerk.providers.services.place import modules_dir
from stellwerk.providers.services.protocol import Limits, ServiceSpec
from stellwerk.settings import Settings
from stellwerk.vault import Vault

MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a version of an instance is, and by which of its two ports it is reached."""

    module_name: str
    instance_id: str
    slot: int
    generation: int
    release: str  # folder of the version, below that of the instance

    def path(self, settings: Settings) -> Path:
        """The folder of the instance."""
        return modules_dir(settings) / folder_name(self.module_name, self.instance_id)

    def service(self, settings: Settings) -> str:
        """The name of its service."""
        stack = settings.swarm_stack
        return service_name(stack, self.module_name, self.instance_id, self.generation)


def place_of(row: ModuleInstance, slot: int) -> Place:
    """Where an instance is now."""
    return Place(row.module_name, row.id, slot, row.generation, row.release)


def spec_of(
    runtime: Runtime, place: Place, entry: Entry, environment: dict[str, str]
) -> ServiceSpec:
    """The service of a place; what a module asks for is cut to what settings allow."""
    settings = runtime.settings
    path = place.path(settings)
    return ServiceSpec(
        name=place.service(settings),
        module_name=place.module_name,
        instance_id=place.instance_id,
        version=entry.version,
        folder=path / place.release,
        data=path / "data",
        port=settings.module_port(place.slot, place.generation),
        command=entry.command,
        image=entry.image,
        environment={**entry.environment, **environment},
        health=entry.health,
        limits=_limits(settings, entry),
        stop_grace_s=settings.module_stop_grace_s,
    )


def spec_of_row(runtime: Runtime, row: ModuleInstance, slot: int) -> ServiceSpec:
    """The service of an instance as it is written down."""
    environment = environment_of(runtime.vault, row)
    return spec_of(runtime, place_of(row, slot), loaded(row.entry), environment)


def environment_of(vault: Vault, row: ModuleInstance) -> dict[str, str]:
    """An instance's own variables, with its secrets."""
    return {**row.environment, **secrets_of(vault, row)}


def secrets_of(vault: Vault, row: ModuleInstance) -> dict[str, str]:
    """The secrets among an instance's variables."""
    if row.secrets is None:
        return {}
    opened: dict[str, str] = orjson.loads(vault.open(row.secrets, row.id))
    return opened


def sealed_secrets(vault: Vault, instance_id: str, secrets: dict[str, str]) -> bytes | None:
    """Secrets as they are stored."""
    return vault.seal(orjson.dumps(secrets).decode(), instance_id) if secrets else None


def _limits(settings: Settings, entry: Entry) -> Limits:
    memory_mb = min(entry.memory_mb or settings.module_memory_mb, settings.module_memory_mb)
    return Limits(
        memory_bytes=memory_mb * MIB,
        cpus=min(entry.cpus or settings.module_cpus, settings.module_cpus),
        processes=min(entry.processes or settings.module_processes, settings.module_processes),
    )
