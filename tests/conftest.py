"""Fixtures of the whole suite: real servers once per test process, a clean ledger per test."""

import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from embedded import fresh_database, running_postgres, running_valkey
from emptying import empty
from engine import Engine, running_engine, stop_engines
from front import Front, running_front
from gateways import GatewayProcess, running_gateway
from groups import (
    pytest_collection_modifyitems,
    pytest_runtest_teardown,
    pytest_sessionfinish,
)
from installations import Installations
from plenty import PLENTY
from service_places import users_of_their_own
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.db.migrate import upgrade
from stellwerk.jobs import budget, effects
from stellwerk.providers.services.place import remove_modules
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.ports import free_port

__all__ = [  # hooks
    "pytest_collection_modifyitems",
    "pytest_runtest_teardown",
    "pytest_sessionfinish",
]

SIGNING_KEY = "only-for-tests-0123456789-0123456789-0123456789"


@pytest.fixture(scope="session", autouse=True)
def _patient_jobs() -> None:
    """Sweeps and effects of a test's own process are carried out, however slow the machine is."""
    budget.BUDGET_S = 60.0
    effects.PROMPT_S = 60.0


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Postgres of this test process."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def database_url(postgres_server: str) -> Iterator[str]:
    """URL of a migrated database of this test process."""
    with fresh_database(postgres_server) as url:
        upgrade(load_settings(database_url=url).database())
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Valkey of this test process."""
    with running_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def settings(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of a small, impatient platform."""
    made = load_settings(
        database_url=database_url,
        redis_url=redis_url,
        jwt_secret_key=SIGNING_KEY,
        encryption_key=SIGNING_KEY[::-1],
        outbound_allowed_networks=["127.0.0.1/32"],
        retry_delays_s={"webhooks.deliver": [0.2] * 7, "email.send": [0.2] * 7},
        redis_timeout_s=5.0,  # a Redis that the machine kept from answering is not away
        realtime_token="only-for-tests-too",
        realtime_compare_every_s=1,
        realtime_listeners_per_user=8,
        realtime_channels_per_socket=4,
        scrape_token="only-for-tests-as-well",
        config_defaults=PLENTY,
        home=tmp_path_factory.mktemp("home"),
        crash_folder=tmp_path_factory.mktemp("crash"),
        job_lease_s=6,
        worker_niceness=0,  # else other tests' processes may keep workers from renewing that
        job_heartbeat_s=1,
        job_republish_after_s=3,
        job_dispatch_interval_s=0.05,
        job_kill_grace_s=4,
        short_slots=4,
        long_slots=2,
        module_drain_s=0.5,
        module_ports_from=free_port(),
        module_users_from=users_of_their_own(),
    )
    yield made
    remove_modules(made.home.absolute())


@pytest.fixture(scope="session")
def shared_platform(settings: Settings) -> Iterator[Platform]:
    """The collaborators of this test process; tests take `platform` instead."""
    # A Redis that stands still for a moment would else be left alone, and show nothing.
    patient = settings.model_copy(update={"redis_timeout_s": 5.0})
    platform = bootstrap(patient, role="tests")
    yield platform
    platform.close()


@pytest.fixture
def platform(shared_platform: Platform, request: pytest.FixtureRequest) -> Platform:
    """The collaborators, with an empty ledger and an empty Redis, and nobody else at work."""
    if "engine" not in request.fixturenames:
        stop_engines()
    empty(shared_platform)
    return shared_platform


@pytest.fixture(scope="session")
def engine_processes(
    shared_platform: Platform, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Real workers for every queue and a dispatcher; they stay up for the whole test process.

    They start on an empty broker and ledger: jobs of made-up operations are not theirs.
    """
    empty(shared_platform)
    with running_engine(settings, Path(tmp_path_factory.mktemp("engine"))) as engine:
        yield engine


@pytest.fixture
def engine(platform: Platform, engine_processes: Engine) -> Engine:  # noqa: ARG001  cleans first
    """The same, with an empty ledger."""
    engine_processes.restart_what_ended()
    return engine_processes


@pytest.fixture(scope="session")
def gateway(settings: Settings) -> Iterator[GatewayProcess]:
    """The gateway of modules, where the engine's workers look for it."""
    with running_gateway(settings.home, STELLWERK_GATEWAY_ADMIN=settings.gateway_url()) as process:
        yield process


@pytest.fixture
def modules(
    platform: Platform,
    engine: Engine,  # noqa: ARG001  its workers carry out what is done with modules
    gateway: GatewayProcess,  # noqa: ARG001  which leads to them
) -> Iterator[Installations]:
    """What real workers install, and all of it gone at the end."""
    installations = Installations(platform)
    yield installations
    installations.remove_all()


@pytest.fixture(scope="session")
def front_process(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Edge, web and realtime; they stay up for the whole test process."""
    with running_front(settings, tmp_path_factory.mktemp("front")) as front:
        yield front


def pytest_configure() -> None:
    """Undo what a shell does to a job in the background: it and its children ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _log_plain_tracebacks()
    _let_examples_take_their_time()


def _let_examples_take_their_time() -> None:
    """Hypothesis allows 200 ms for each, which a busy machine may need for the quickest."""
    slow = hypothesis.HealthCheck.too_slow
    hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[slow])
    hypothesis.settings.load_profile("patient")


def _log_plain_tracebacks() -> None:
    """With rich, structlog's default, each one takes seconds."""
    *processors, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors, plain])
