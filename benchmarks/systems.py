"""The systems that are compared: each takes jobs over HTTP and tells of them over HTTP."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import pathsep
from pathlib import Path
from typing import Protocol

import orjson
from redis import Redis

from benchmarks.environments import scripts_of
from benchmarks.exchange import Request
from benchmarks.ledger import OPERATION
from benchmarks.people import Person, sign_in
from benchmarks.stage import SLOTS, Ready, Stage, Start, answers, says
from stellwerk.stack.ports import free_port
from stellwerk.stack.process import Child, Program
from stellwerk.stack.procfile import SHELL

RIVALS_FOLDER = Path(__file__).resolve().parent / "rivals"
OUR_APPLICATION = "stellwerk_api.app:create_app"
OUR_SERVER = "python -m stellwerk_api.web"  # granian with more patience: takes its options
BROKER_DATABASE, RESULT_DATABASE = 1, 2


class Client(Protocol):
    """How to use a running system."""

    @property
    def url(self) -> str:
        """Where it answers HTTP."""

    @property
    def children(self) -> Mapping[str, Child]:
        """Its programs, by what they are: web, worker ..."""

    def submit(self, wait_ms: int) -> Request:
        """A request that submits a job."""

    def job_id(self, body: bytes) -> str:
        """What its answer calls the job."""

    def poll(self, job_id: str) -> Request:
        """A request that asks for the job."""

    def is_finished(self, body: bytes) -> bool:
        """What its answer says."""


@dataclass(frozen=True, slots=True)
class OurClient:
    """Stellwerk itself."""

    url: str
    children: Mapping[str, Child]
    person: Person

    def submit(self, wait_ms: int) -> Request:
        """See Client."""
        payload = {"message": "hello", "wait_ms": wait_ms}
        body = orjson.dumps({"operation": OPERATION, "payload": payload})
        return Request("POST", "/api/v1/jobs", self.person.headers, body, "submit")

    def job_id(self, body: bytes) -> str:
        """See Client."""
        return str(orjson.loads(body)["job_id"])

    def poll(self, job_id: str) -> Request:
        """See Client."""
        return Request("GET", f"/api/v1/jobs/{job_id}", self.person.headers, kind="poll")

    def is_finished(self, body: bytes) -> bool:
        """See Client."""
        return bool(orjson.loads(body)["status"] == "completed")


@dataclass(frozen=True, slots=True)
class RivalClient:
    """Another system; all of their applications have the same two routes."""

    url: str
    children: Mapping[str, Child]

    def submit(self, wait_ms: int) -> Request:
        """See Client."""
        return Request("POST", f"/jobs?ms={wait_ms}", {"Content-Length": "0"}, kind="submit")

    def job_id(self, body: bytes) -> str:
        """See Client."""
        return str(orjson.loads(body)["id"])

    def poll(self, job_id: str) -> Request:
        """See Client."""
        return Request("GET", f"/jobs/{job_id}", kind="poll")

    def is_finished(self, body: bytes) -> bool:
        """See Client."""
        return bool(orjson.loads(body)["finished"])


@dataclass(frozen=True, slots=True)
class Rival:
    """`folder` below rivals/ holds its application; an empty `packages` means our environment."""

    name: str
    folder: str
    worker: str
    worker_says: Ready
    packages: str = ""
    web: str = ""  # empty: the granian that serves us, with its application
    finished_key: str = ""  # a sorted set that grows by one a job; empty: results are counted
    forks: bool = False  # a process for every job

    @contextmanager
    def client(self, stage: Stage) -> Iterator[RivalClient]:
        """Its web process and its workers, until the block ends."""
        url = f"http://127.0.0.1:{free_port()}"
        web = Start(self.web_program(stage, url), answers(f"{url}/"))
        with stage.others([web, self.worker_start(stage)]) as children:
            yield RivalClient(url, dict(zip(("web", "worker"), children, strict=True)))

    def web_program(self, stage: Stage, url: str) -> Program:
        """What serves HTTP at `url`."""
        ours = stage.program("web").argv[-1]
        command = (
            f"exec {self.web}"
            if self.web
            else ours.replace(OUR_SERVER, "granian").replace(OUR_APPLICATION, "app:create_app")
        )
        return self.program(stage, "web", command, url.rpartition(":")[2])

    def worker_start(self, stage: Stage) -> Start:
        """What runs jobs."""
        return Start(self.program(stage, "worker", f"exec {self.worker}"), self.worker_says)

    def fill_program(self, stage: Stage, count: int, wait_ms: int) -> Program:
        """What puts jobs into the queue, and ends."""
        return self.program(stage, "fill", f"exec python fill.py {count} {wait_ms}")

    def finished(self, stage: Stage) -> int:
        """How many jobs it has done since Redis was cleared; one cheap question to Redis."""
        number = BROKER_DATABASE if self.finished_key else RESULT_DATABASE
        with Redis.from_url(stage.redis_url(number)) as redis:
            counted = redis.zcard(self.finished_key) if self.finished_key else redis.dbsize()
        return int(counted)

    def program(self, stage: Stage, role: str, command: str, port: str = "0") -> Program:
        """A command of its own, in its folder and its environment."""
        folder = RIVALS_FOLDER / self.folder
        path = stage.environment["PATH"]
        if self.packages:
            path = f"{scripts_of(self.packages)}{pathsep}{path}"
        env = {
            **inherited(stage),
            "PATH": path,
            "PYTHONPATH": str(folder),
            "PYTHONUNBUFFERED": "1",
            "GRANIAN_PORT": port,
            "BROKER_URL": stage.redis_url(BROKER_DATABASE),
            "RESULT_URL": stage.redis_url(RESULT_DATABASE),
            "REDIS_URL": stage.redis_url(BROKER_DATABASE),
            "DATABASE_URL": stage.settings.database_url.get_secret_value(),
        }
        argv = (SHELL, "-c", command)
        return Program(f"{self.folder}-{role}", argv, role, env, folder=folder)


@contextmanager
def our_client(stage: Stage) -> Iterator[OurClient]:
    """Our web process, worker and dispatcher, and somebody who uses them."""
    with stage.running("web", "worker_short", "dispatcher") as children:
        yield OurClient(stage.web_url, children, sign_in(stage)[0])


def inherited(stage: Stage) -> dict[str, str]:
    """What everybody gets alike: processes and threads of the web server, language, home."""
    kept = ("GRANIAN_", "LANG", "LC_", "HOME")
    return {name: value for name, value in stage.environment.items() if name.startswith(kept)}


BARE = Rival("bare Flask", "bare", worker="", worker_says=says(""))
CELERY = Rival(
    name="Flask + Celery",
    folder="flask_celery",
    worker=f"celery -A make_celery worker -l INFO -c {SLOTS}",
    worker_says=says(" ready."),
)
CELERY_THREADS = replace(
    CELERY,
    name="Flask + Celery (threads)",
    worker=f"celery -A make_celery worker -l INFO -P threads -c {SLOTS}",
)
RIVALS = (
    CELERY,
    Rival(
        name="Flask + RQ",
        folder="flask_rq",
        packages="flask_rq",
        worker=f'rq worker-pool default -n {SLOTS} --url "$BROKER_URL"',
        worker_says=says("Listening on", SLOTS),
        finished_key="rq:finished:default",
        forks=True,
    ),
    Rival(
        name="Flask + Dramatiq",
        folder="flask_dramatiq",
        packages="flask_dramatiq",
        worker=f"dramatiq tasks -p 2 -t {SLOTS // 2}",
        worker_says=says("Worker process is ready", 2),
    ),
    Rival(
        name="FastAPI + taskiq",
        folder="fastapi_taskiq",
        packages="fastapi_taskiq",
        web='uvicorn app:app --port "$GRANIAN_PORT" --workers 2 --log-level warning',
        worker=f"taskiq worker tasks:broker --workers 2 --max-async-tasks {SLOTS // 2}",
        worker_says=says("Listening started", 2),
    ),
)


def rivals(*, everybody: bool) -> tuple[Rival, ...]:
    """All of them, or only the one that needs no environment of its own."""
    return RIVALS if everybody else (CELERY,)


def prepare() -> None:
    """Install what is missing before anything is measured."""
    for rival in RIVALS:
        if rival.packages:
            scripts_of(rival.packages)
