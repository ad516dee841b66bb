"""Chooses the implementations. Nothing else in the core names one."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

from sqlalchemy import Engine, MetaData

import stellwerk
from stellwerk.broker.calls import Grouping
from stellwerk.broker.publisher import CeleryPublisher, publishing_app
from stellwerk.broker.redis_publisher import RedisPublisher, is_plain_redis
from stellwerk.configuration.present import Configuration
from stellwerk.connections.securing import secure_connections
from stellwerk.db.base import Base
from stellwerk.db.direct import Direct
from stellwerk.db.engine import build_engine, build_sessions
from stellwerk.db.holdings import Holding
from stellwerk.db.slow import watch
from stellwerk.errors import ConfigurationError
from stellwerk.gate import Gate
from stellwerk.jobs.operation import Operation, Registry, RetryPolicy
from stellwerk.jobs.ports import Publisher
from stellwerk.jobs.runtime import Runtime
from stellwerk.live.client import LiveClient
from stellwerk.live.copies import LiveCopies
from stellwerk.live.news import LiveNews
from stellwerk.live.sessions import LiveSessions
from stellwerk.live.status import LiveStatus
from stellwerk.privacy.domains import Domain, domain_of, in_order
from stellwerk.providers.artifacts.protocol import ArtifactStorage
from stellwerk.providers.choice import choose_providers
from stellwerk.schedules.securing import secure_schedules
from stellwerk.settings import Settings
from stellwerk.settings.naming import PREFIX
from stellwerk.stack.production import refuse_unfit
from stellwerk.vault import Vault
from stellwerk.webhooks.deliveries import announce
from stellwerk.webhooks.securing import secure_endpoints


@dataclass(frozen=True, slots=True)
class Platform:
    """One process's collaborators."""

    settings: Settings
    engine: Engine
    live_client: LiveClient
    live: LiveStatus
    runtime: Runtime

    @property
    def artifacts(self) -> ArtifactStorage:
        """Where artifacts are stored."""
        return self.runtime.providers.artifacts

    @property
    def configuration(self) -> Configuration:
        """What operators change while the platform runs."""
        return self.runtime.configuration

    def close(self) -> None:
        """Give every connection back."""
        self.configuration.close()
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

    `role` names it, and its connections in Postgres; workers pass their own `publisher`. Raises
    ConfigurationError where a setting is missing or unfit for production mode.
    """
    refuse_unfit(settings, serves=False)
    metadata()
    vault = Vault(settings.encryption_keys())
    engine = _engine(settings, vault, role, pool_size or settings.database_pool_size)
    client = _live_client(settings)
    live = LiveStatus(client, ttl_s=settings.job_status_ttl_s, events_kept=settings.job_events_kept)
    operations = registry(settings.retry_delays_s)
    grouping = Grouping(settings, operations)
    direct = Direct(engine, settings.slow_query_s)
    runtime = Runtime(
        settings=settings,
        registry=operations,
        sessions=build_sessions(engine, vault),
        direct=direct,
        configuration=Configuration(direct, settings.config_defaults),
        publisher=publisher or _publisher(settings, client, live, grouping),
        board=live,
        copies=LiveCopies(client),
        news=LiveNews(client),
        standings=LiveSessions(client, ttl_s=settings.session_cache_s),
        providers=choose_providers(settings),
        vault=vault,
        role=role,
        ended=(announce,),
        secured=(secure_connections, secure_endpoints, secure_schedules),
    )
    return Platform(settings, engine, client, live, runtime)


def _engine(settings: Settings, vault: Vault, role: str, pool_size: int) -> Engine:
    engine = build_engine(settings.database(), pool_size=pool_size, role=role, vault=vault)
    watch(engine, settings.slow_query_s)
    return engine


def _live_client(settings: Settings) -> LiveClient:
    gate = Gate(settings.redis_pause_s)
    return LiveClient(settings.redis(), timeout_s=settings.redis_timeout_s, gate=gate)


def registry(retry_delays_s: Mapping[str, Sequence[float]] | None = None) -> Registry:
    """Every operation that a `stellwerk.<noun>.operations` module declares in OPERATIONS.

    `retry_delays_s` replaces retry policies, by operation; raises ConfigurationError for an
    operation that is not declared.
    """
    declared = {operation.name: operation for operation in _declared()}
    for name, delays_s in (retry_delays_s or {}).items():
        if name not in declared:
            message = f"{PREFIX}RETRY_DELAYS_S names {name}, which is no operation."
            raise ConfigurationError(message)
        declared[name] = replace(declared[name], retry=RetryPolicy.after(*delays_s))
    return Registry(tuple(declared.values()))


def metadata() -> MetaData:
    """The tables of every domain; their modules are imported, so that they find each other."""
    for _ in _modules("model"):
        pass
    return Base.metadata


def privacy_domains() -> tuple[Domain, ...]:
    """What each domain holds of a person, in the order in which it is erased; accounts last."""
    metadata()
    return in_order(domain_of(module) for module in _modules("privacy"))


def sealed() -> tuple[Holding, ...]:
    """What any table holds under the vault's keys: the SEALED of `stellwerk.<noun>.sealed`."""
    return tuple(holding for module in _modules("sealed") for holding in module.SEALED)


def under_other_keys() -> tuple[str, ...]:
    """Columns (`table.column`) that are sealed with keys which are themselves held so."""
    return tuple(
        name for module in _modules("sealed") for name in getattr(module, "UNDER_OTHER_KEYS", ())
    )


def _publisher(
    settings: Settings, client: LiveClient, live: LiveStatus, grouping: Grouping
) -> Publisher:
    """Where the broker is the same Redis, what was learnt of one holds for the other."""
    url = settings.broker()
    gate = Gate(settings.redis_pause_s)
    if not is_plain_redis(url):
        return CeleryPublisher(publishing_app(url), gate, live, grouping)
    is_shared = url == settings.redis()
    if not is_shared:
        client = LiveClient(url, timeout_s=settings.redis_timeout_s, gate=gate)
    return RedisPublisher(client, live, grouping, is_shared=is_shared)


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
