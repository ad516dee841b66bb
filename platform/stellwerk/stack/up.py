"""`stellwerk up`: everything from an empty folder to a platform that answers, and back."""

import http.client
import os
import ssl
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from stellwerk.choices import Tls
from stellwerk.errors import StackError
from stellwerk.settings import Settings
from stellwerk.stack.backends import start_backends
from stellwerk.stack.follow import LogFollower, shorten_logs
from stellwerk.stack.gateway_socket import remove_admin_socket
from stellwerk.stack.given import given_servers
from stellwerk.stack.guard import Guard
from stellwerk.stack.home import Home, clear_disk_errors, require_space
from stellwerk.stack.lock import HomeLock
from stellwerk.stack.modules import end_services, place_of, start_services
from stellwerk.stack.plan import Plan, make_plan, process_environment
from stellwerk.stack.procfile import programs_of
from stellwerk.stack.production import refuse_unfit
from stellwerk.stack.report import Report, StackState, reachable_address, stack_urls
from stellwerk.stack.simulation import switch_urls
from stellwerk.stack.stopping import Stop
from stellwerk.stack.supervisor import TICK_S, Supervisor
from stellwerk.stack.transport import transport_of
from stellwerk.vault import Vault

READY_PATH = "/api/v1/health/ready"
STACK_READY_S = 120.0
TICKS_PER_LOG_CHECK = 600


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line may say about one start."""

    procfile: Path
    say: Callable[[str], None]
    verbose: bool = False
    migrate: bool = True
    ready_path: str = READY_PATH  # answered with 200, through the edge, by a stack that is up


def run_stack(settings: Settings, options: Options, stop: Stop) -> None:
    """Run the platform until `stop` is requested.

    Raises StackError (AlreadyRunning and PortTaken among them) with one line that says what to
    mend, ConfigurationError where a setting forbids the start. Whatever happens, everything that
    was started is ended.
    """
    _refuse_wrong(settings)
    home = Home(settings.home.absolute())
    home.prepare()
    os.umask(0o077)
    lock = HomeLock(home.lock_file)
    with clear_disk_errors(home.path), lock.held():
        warning = require_space(home.path)
        if warning:
            options.say(warning)
        plan = make_plan(settings, home)
        _live(plan, options, lock, stop)


def _refuse_wrong(settings: Settings) -> None:
    """What the settings alone tell, before anything is written or started."""
    from stellwerk.providers.choice import choose_providers  # noqa: PLC0415  heavy: SDKs

    refuse_unfit(settings)
    for server in given_servers(settings):
        server.require_form()
    choose_providers(settings)


def _live(plan: Plan, options: Options, lock: HomeLock, stop: Stop) -> None:
    run = uuid.uuid4().hex
    modules = place_of(plan.filled)
    guard = Guard(run, lock.handle, modules)
    supervisor = Supervisor(run=run, logs=plan.home.logs, guard=guard, say=options.say)
    present_key = Vault(plan.filled.encryption_keys()).present_key
    switch = switch_urls(plan.filled, is_simulator=plan.has_simulator)
    urls = stack_urls(plan.filled) | switch
    report = Report(plan.home, urls, supervisor.documents, present_key)
    supervisor.changed = report.update
    follower = LogFollower(plan.home.logs, options.say) if options.verbose else None
    report.enter(StackState.STARTING)
    try:
        _start(plan, options, supervisor, stop)
        if not stop.requested:
            lock.announce(report.urls["api"])
            report.enter(StackState.READY)
            options.say(_banner(report.urls, plan.filled))
        _supervise(plan, supervisor, follower, stop)
    finally:
        report.enter(StackState.STOPPING)
        end_modules = partial(end_services, modules, lambda: stop.urgent, options.say)
        supervisor.end_all(stop, grace_s=plan.filled.shutdown_grace_s, at_last=end_modules)
        remove_admin_socket(plan.home)
        report.enter(StackState.STOPPED)


def _start(plan: Plan, options: Options, supervisor: Supervisor, stop: Stop) -> None:
    start_backends(plan, supervisor, stop)
    if stop.requested:
        return
    if options.migrate:
        _migrate(plan.filled)
    env = process_environment(plan.filled, plan.ports)
    for program in programs_of(options.procfile, env):
        supervisor.add(program)
    ready = partial(_answers, plan, options.ready_path)
    supervisor.wait_for("The platform", ready, stop=stop, timeout_s=STACK_READY_S)
    if not stop.requested:  # after ours: what is not ours may not find our ports free
        start_services(place_of(plan.filled), options.say)


def _answers(plan: Plan, path: str) -> bool:
    connection = _connection(plan)
    with closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def _connection(plan: Plan) -> http.client.HTTPConnection:
    """To our own edge; whose certificate it has is what others check."""
    place = reachable_address(plan.filled.host), plan.ports["edge"]
    if transport_of(plan.given).kind is Tls.OFF:
        return http.client.HTTPConnection(*place, timeout=2)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(*place, timeout=2, context=context)


def _supervise(
    plan: Plan, supervisor: Supervisor, follower: LogFollower | None, stop: Stop
) -> None:
    for tick in count(1):
        if stop.requested:
            return
        supervisor.tick()
        if follower:
            follower.pump()
        if tick % TICKS_PER_LOG_CHECK == 0:
            shorten_logs(plan.home.logs)
        stop.wait(TICK_S)


def _migrate(filled: Settings) -> None:
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  heavy, and only `up` needs it

    from stellwerk.db.migrate import upgrade  # noqa: PLC0415  heavy, and only `up` needs it

    try:
        upgrade(filled.database())
    except SQLAlchemyError as exc:
        reason = str(exc).splitlines()[0]
        raise StackError(f"The database cannot be migrated: {reason}") from exc


def _banner(urls: dict[str, str], filled: Settings) -> str:
    lines = (
        "Stellwerk is up.",
        f"  API      {urls['api']}",
        f"  Docs     {urls['docs']}",
        f"  Modules  {urls['modules']}",
        f"  Flower   {urls['flower']}  (user {filled.flower_user}, password in secrets.json)",
        f"  Home     {filled.home}",
        "Ctrl-C ends it.",
    )
    return "\n".join(lines)
