"""Chooses the implementations. Nothing else in the core names one."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from sqlalchemy import Engine, MetaData

import stellwerk
from stellwerk.broker.publisher import CeleryPublisher, publishing_app
from stellwerk.db.base import Base
from stellwerk.db.engine import build_engine, build_sessions
from stellwerk.jobs.operation import Operation, Registry
from stellwerk.jobs.ports import Publisher
from stellwerk.jobs.runtime import Runtime
from stellwerk.live.client import LiveClient
from stellwerk.live.status import LiveStatus
from stellwerk.providers.artifacts.local import LocalArtifacts
from stellwerk.providers.artifacts.protocol import ArtifactStorage
from stellwerk.settings import ArtifactStore, Settings


@dataclass(frozen=True, slots=True)
class Platform:
    """One process's collaborators."""

    settings: Settings
    engine: Engine
    live_client: LiveClient
    live: LiveStatus
    runtime: Runtime
    artifacts: ArtifactStorage

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()
        self.live_client.close()


def bootstrap(
    settings: Settings,
    *,
    role: str,
    publisher: Publisher | None = None,
    pool_size: int | None = None,
) -> Platform:
    """Build a process's collaborators; connects to nothing yet.

    `role` names its connections in Postgres; workers pass their own `publisher`.
    """
    metadata()
    pool_size = pool_size or settings.database_pool_size
    engine = build_engine(settings.database(), pool_size=pool_size, role=role)
    client = LiveClient(
        settings.redis(), timeout_s=settings.redis_timeout_s, pause_s=settings.redis_pause_s
    )
    live = LiveStatus(client, ttl_s=settings.job_status_ttl_s, events_kept=settings.job_events_kept)
    runtime = Runtime(
        settings=settings,
        registry=registry(),
        sessions=build_sessions(engine),
        publisher=publisher or _publisher(settings),
        board=live,
    )
    return Platform(settings, engine, client, live, runtime, artifact_storage(settings))


def registry() -> Registry:
    """Every operation that a `stellwerk.<noun>.operations` module declares in OPERATIONS."""
    return Registry(tuple(_declared()))


def metadata() -> MetaData:
    """The tables of every domain; their modules are imported, so that they find each other."""
    for _ in _modules("model"):
        pass
    return Base.metadata


def artifact_storage(settings: Settings) -> ArtifactStorage:
    """The artifact store that the settings name."""
    if settings.artifact_store is ArtifactStore.LOCAL:
        return LocalArtifacts(settings.artifacts_path)
    from stellwerk.providers.artifacts.s3 import S3Artifacts, s3_client  # noqa: PLC0415  an extra

    client = s3_client(
        endpoint_url=settings.s3_endpoint_url,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key.get_secret_value(),
    )
    return S3Artifacts(client, settings.s3_bucket)


def _publisher(settings: Settings) -> Publisher:
    return CeleryPublisher(publishing_app(settings.broker()), pause_s=settings.redis_pause_s)


def _declared() -> Iterator[Operation]:
    for module in _modules("operations"):
        yield from module.OPERATIONS


def _modules(name: str) -> Iterator[ModuleType]:
    """The modules of that name in every noun's package."""
    for found in pkgutil.iter_modules(stellwerk.__path__, "stellwerk."):
        if not found.ispkg:
            continue
        package = importlib.import_module(found.name)
        if any(inner.name == name for inner in pkgutil.iter_modules(package.__path__)):
            yield importlib.import_module(f"{found.name}.{name}")
