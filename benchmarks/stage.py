"""A platform to measure: its embedded servers, and the Procfile's processes as they are wanted.

Postgres keeps fsync on and Valkey its append-only file, as under `stellwerk up`. Other systems
run beside it as further programs, on the same servers.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from secrets import token_hex
from shutil import rmtree

import requests
from redis import Redis

from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.db.migrate import upgrade
from stellwerk.settings import load_settings
from stellwerk.shipped import shipped
from stellwerk.stack.home import Home
from stellwerk.stack.plan import Plan, make_plan, process_environment
from stellwerk.stack.postgres import make_cluster, make_database, postgres_program
from stellwerk.stack.postgres_place import find_place, remove_data
from stellwerk.stack.process import Child, Program
from stellwerk.stack.procfile import programs_of
from stellwerk.stack.valkey import redis_answers, valkey_program

WORK = Path(__file__).resolve().parent / ".work"
SLOTS = 8  # jobs at once in each worker, here and in every other system
UP_WITHIN_S = 120.0
DOWN_WITHIN_S = 20.0
LOOK_EVERY_S = 0.05

# One user asks more often in a second than users may in a minute; every request is counted all the
# same. (The 500 users of the mixed load, 120 requests a minute each, would fit into their limits.)
_OFTEN = dict.fromkeys(("free", "pro", "enterprise"), "1000000/s")
_RATES = {f"rates.{name}": _OFTEN for name in ("default", "polls", "videos", "calls")}
_OF_NOBODY = {f"rates.{name}": "1000000/s" for name in ("login", "login_address", "public")}
UNLIMITED = {"STELLWERK_CONFIG_DEFAULTS": json.dumps(_RATES | _OF_NOBODY)}

Ready = Callable[[str], bool]  # is given what the process wrote so far


@dataclass(frozen=True, slots=True)
class Start:
    """A program and how to see that it works."""

    program: Program
    ready: Ready


class Stage:
    """The servers are up for as long as it exists; see `running_stage`."""

    def __init__(self, plan: Plan, platform: Platform) -> None:
        self.plan = plan
        self.settings = plan.filled
        self.platform = platform
        self.environment = process_environment(plan.filled, plan.ports) | UNLIMITED
        self.web_url = f"http://{plan.filled.web_address}"
        self.edge_url = f"http://127.0.0.1:{plan.ports['edge']}"
        programs = programs_of(shipped("Procfile"), self.environment)
        self._programs = {program.name: program for program in programs}
        self._run = f"bench-{token_hex(4)}"
        self._starts = count(1)
        self.servers: dict[str, Child] = {}  # those that everybody uses

    @contextmanager
    def running(self, *names: str, **more: str) -> Iterator[dict[str, Child]]:
        """Processes of the Procfile by name with `more` variables, ready, until the block ends."""
        starts = [Start(self.program(name, **more), self._ready(name)) for name in names]
        with self.others(starts) as children:
            yield dict(zip(names, children, strict=True))

    @contextmanager
    def others(self, starts: Sequence[Start]) -> Iterator[list[Child]]:
        """Any programs, ready, until the block ends."""
        with ExitStack() as stack:
            children = [self._begin(start.program) for start in starts]
            stack.callback(end_all, children)
            for start, child in zip(starts, children, strict=True):
                wait_until(partial(_is_ready, start, child), within_s=UP_WITHIN_S)
            yield children

    def program(self, name: str, **more: str) -> Program:
        """A process of the Procfile, with further variables."""
        found = self._programs[name]
        return replace(found, env={**found.env, **more})

    def redis_url(self, database: int) -> str:
        """One of the server's numbered databases; 0 is the platform's."""
        return f"{self.settings.redis().rpartition('/')[0]}/{database}"

    def clear_redis(self) -> None:
        """Forget everything in every database."""
        with Redis.from_url(self.redis_url(0)) as redis:
            redis.flushall()

    def _begin(self, program: Program) -> Child:
        log = self.plan.home.logs / f"{program.name}-{next(self._starts)}.log"
        child = Child(program, run=self._run, log=log)
        child.start()
        return child

    def _ready(self, name: str) -> Ready:
        by_name: Mapping[str, Ready] = {
            "web": answers(f"{self.web_url}/api/v1/health/live"),
            "edge": answers(f"{self.edge_url}/api/v1/health/live"),
            "realtime": answers(f"http://127.0.0.1:{self.settings.realtime_port}/"),
            "flower": answers(f"http://127.0.0.1:{self.plan.ports['flower']}/flower/"),
            "dispatcher": says("dispatcher runs"),
            "beat": says("beat: Starting"),
            "telephony": says("telephony runs"),
        }
        return by_name.get(name, says(" ready."))


@contextmanager
def running_stage(**settings: object) -> Iterator[Stage]:
    """Empty servers with the ledger's tables, removed at the end with all their data."""
    home = Home(WORK / token_hex(4))
    home.prepare()
    chosen = {"database_url": "", "redis_url": "", "broker_url": "", "port": 0}
    slots = {"short_slots": SLOTS, "long_slots": SLOTS}
    given = load_settings(home=home.path, **{**chosen, **slots, **settings})
    try:
        with _servers(make_plan(given, home)) as stage:
            yield stage
    finally:
        remove_data(home)
        rmtree(home.path)


def says(text: str, times: int = 1) -> Ready:
    """Ready once its log holds this so often."""
    return lambda log: log.count(text) >= times


def answers(url: str) -> Ready:
    """Ready once it answers HTTP, whatever it answers."""

    def ready(_: str) -> bool:
        try:
            requests.get(url, timeout=2)
        except requests.RequestException:
            return False
        return True

    return ready


def wait_until(condition: Callable[[], object], *, within_s: float) -> None:
    """Look until the condition holds; raises TimeoutError."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so after {within_s:g} s")
        time.sleep(LOOK_EVERY_S)


def end_all(children: Sequence[Child]) -> None:
    """Ask all to end, the last started first; kill what does not within its grace."""
    for child in reversed(children):
        child.ask_to_end()
    deadline = time.monotonic() + DOWN_WITHIN_S
    for child in children:
        while child.pid and time.monotonic() < deadline:
            child.ended()
            time.sleep(LOOK_EVERY_S)
        child.kill()


@contextmanager
def _servers(plan: Plan) -> Iterator[Stage]:
    place, secrets = find_place(plan.home), plan.home.secrets()
    make_cluster(place, secrets["database_password"])
    valkey = valkey_program(
        plan.home.path / "valkey", plan.ports["valkey"], secrets["redis_password"]
    )
    platform = bootstrap(plan.filled, role="bench")
    stage = Stage(plan, platform)
    url = plan.filled.database_url.get_secret_value()
    starts = (
        Start(postgres_program(place, plan.ports["postgres"]), lambda _: make_database(url)),
        Start(valkey, lambda _: redis_answers(plan.filled.redis())),
    )
    with stage.others(starts) as servers:
        stage.servers = {child.program.name: child for child in servers}
        upgrade(plan.filled.database())
        try:
            yield stage
        finally:
            platform.close()


def _is_ready(start: Start, child: Child) -> bool:
    written = child.log.read_text(errors="replace")
    if how := child.ended():
        raise RuntimeError(f"{child.program.name} {how}:\n{written[-2000:]}")
    return start.ready(written)
