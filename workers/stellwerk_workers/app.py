"""The Celery application of every worker: one task per operation, named after it.

A task only carries a wake-up; `runner` does the work and the ledger decides. What Flower shows
is derived from the report: a failed attempt fails, a retried or suspended one is retried, a
stale wake-up is ignored, a cancelled job is revoked.
"""

import logging
import mmap
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import structlog
from celery import Celery, Task
from celery.exceptions import Ignore, Retry
from celery.signals import (
    setup_logging,
    task_unknown,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_shutting_down,
)
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import configure_mappers

import celeryconfig
from stellwerk.bootstrap import Platform, bootstrap, registry
from stellwerk.broker.calls import LIST_TASK
from stellwerk.broker.events import ENDED_EVENTS
from stellwerk.db import sizes
from stellwerk.error_tracking import start_error_tracking
from stellwerk.errors import StellwerkError
from stellwerk.jobs.operation import Operation
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queries import stored_status
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import Submission, submit
from stellwerk.logs import configure_logs
from stellwerk.settings import settings
from stellwerk.stack.production import refuse_unfit
from stellwerk.tracing import start_tracing
from stellwerk_workers import presence
from stellwerk_workers.beat import HOUR_S, SCHEDULE, SUBMIT_TASK, id_of_turn
from stellwerk_workers.collecting import collect_seldom
from stellwerk_workers.consuming import consume_cheaply
from stellwerk_workers.finisher import Finisher, Told
from stellwerk_workers.flower import GroupedEvents
from stellwerk_workers.handlers import load_handlers
from stellwerk_workers.heartbeat import Heartbeat
from stellwerk_workers.leaving import Leaving, release
from stellwerk_workers.lists import JobList
from stellwerk_workers.priority import give_way
from stellwerk_workers.reports import Came, Report
from stellwerk_workers.runner import Runner
from stellwerk_workers.workdirs import Workdirs

log = structlog.get_logger()

# Two lines for each task, which jobs' own logs, the ledger and Flower have anyway.
LOGS_OF_TASKS = ("celery.worker.strategy", "celery.app.trace")
PR_SET_PDEATHSIG = 1  # prctl(2)

# One byte shared by the parent, which hears SIGTERM, and its children, which do the work.
_draining = mmap.mmap(-1, 1)
_pool = {"connections": sizes.of_child(), "parent": os.getpid()}


class JobEnded(Exception):
    """Shown by Flower for a failed attempt; the ledger has the details."""


@cache
def platform() -> Platform:
    """This process's collaborators."""
    start_tracing(settings(), "worker")
    built = bootstrap(settings(), role="worker", pool_size=_pool["connections"])
    configure_mappers()
    collect_seldom()
    return built


@cache
def heartbeat() -> Heartbeat:
    """This process's heartbeat."""
    return Heartbeat(platform().runtime)


@cache
def runner() -> Runner:
    """This process's runner."""
    here = platform()
    return Runner(here.runtime, heartbeat(), lambda: _draining[0] == 1)


@cache
def leaving() -> Leaving:
    """What this process does with wake-ups that are not for it; it may be a parent of others."""
    return Leaving(lambda: bootstrap(settings(), role="worker", pool_size=1))


@cache
def finisher() -> Finisher:
    """This process's finisher of lists."""
    events = GroupedEvents(app)

    def tell(told: Sequence[Told]) -> None:
        events.tell(told)
        for item in told:
            if item.report.came in {Came.COMPLETED, Came.FAILED}:
                presence.count(item.claimed.queue)

    return Finisher(runner(), tell)


def build_app() -> Celery:
    """The application with a task for each operation that has a handler here."""
    refuse_unfit(settings(), serves=False)
    settings().encryption_keys()  # a worker without them is not to start
    built = Celery("stellwerk", broker=settings().broker())
    built.config_from_object(celeryconfig)
    built.conf.beat_schedule = SCHEDULE
    consume_cheaply(built, settings().broker())
    handlers = load_handlers()
    for operation in registry():
        if operation.name in handlers:
            built.task(name=operation.name, bind=True, throws=(JobEnded,))(_task_body(operation))
    built.task(name=SUBMIT_TASK, bind=True)(submit_scheduled)
    built.task(name=LIST_TASK, bind=True)(carry_out_list)
    return built


def _task_body(operation: Operation) -> Callable[..., None]:
    def wake_up(task: Task[Any, Any], job_id: str, attempt: int) -> None:
        carry_out(operation, task, job_id, attempt)

    return wake_up


def carry_out(operation: Operation, task: Task[Any, Any], job_id: str, attempt: int) -> None:
    """Run a wake-up and tell Celery what came of it."""
    wakeup = Wakeup(UUID(job_id), attempt, operation.name, operation.queue)
    report = runner().run(wakeup, str(task.request.hostname))
    _show(task, report)


def carry_out_list(task: Task[Any, Any], operation: str, pairs: list[tuple[str, int]]) -> None:
    """Run the jobs of a wake-up that names many: id and attempt of each."""
    queue = str((task.request.delivery_info or {}).get("routing_key"))
    wakeups = [Wakeup(UUID(job_id), attempt, operation, queue) for job_id, attempt in pairs]
    if operation in task.app.tasks:
        declared = platform().runtime.registry.get(operation)
        JobList(runner(), finisher(), declared).run(wakeups, str(task.request.hostname))
    else:
        release(platform(), wakeups)


@task_unknown.connect
def _release_unknown(message: Any, name: str, **_: Any) -> None:
    """A wake-up of an operation that this worker does not know is for others, uncounted."""
    job_id, attempt = message.payload[0]
    log.warning("unknown operation, left to others", operation=name, job_id=job_id)
    leaving().leave([Wakeup(UUID(job_id), attempt, name, "")])


def submit_scheduled(task: Task[Any, Any], operation: str, every_s: int = HOUR_S) -> None:  # noqa: ARG001  bound
    """Submit a housekeeping job for beat; several beats make one job, which the turn names."""
    job_id = id_of_turn(operation, every_s)
    wanted = Submission(operation, {}, owner_id=None, unique_key="beat", job_id=job_id)
    try:
        submit(platform().runtime, wanted)
    except (StellwerkError, SQLAlchemyError) as exc:
        log.info("scheduled job not submitted", operation=operation, reason=str(exc))


def _show(task: Task[Any, Any], report: Report) -> None:
    match report.came:
        case Came.FAILED:
            raise JobEnded(report.reason)
        case Came.AGAIN:
            raise Retry(report.reason)
        case Came.NOTHING:
            _tell_flower(task, _status_of(task))
            raise Ignore(report.reason)
        case Came.CANCELLED:
            _tell_flower(task, JobStatus.CANCELLED)
            raise Ignore(report.reason)


def _status_of(task: Task[Any, Any]) -> JobStatus | None:
    """What the ledger has for a wake-up that came too late."""
    job_id = UUID((task.request.args or [""])[0])
    with platform().runtime.sessions() as session:
        return stored_status(session, job_id)


def _tell_flower(task: Task[Any, Any], status: JobStatus | None) -> None:
    """Send the event that Celery does not send for an ignored task."""
    if status not in ENDED_EVENTS:
        return
    event, fields = ENDED_EVENTS[status]
    try:
        task.send_event(event, retry=False, **fields)
    except (OperationalError, RedisError, OSError) as exc:
        log.warning("event not sent", reason=str(exc))


@setup_logging.connect
def _logs(**_: Any) -> None:
    configure_logs(settings(), role="worker")
    for name in LOGS_OF_TASKS:
        logging.getLogger(name).setLevel(logging.WARNING)


@worker_init.connect
def _start_worker(sender: Any, **_: Any) -> None:
    """Stand back, and remember what one process needs: that of a thread pool runs all its jobs."""
    _draining[0] = 0
    give_way(settings().worker_niceness)
    shares_process = sender.pool_cls.__module__.endswith("thread")
    connections = sizes.of_threads(sender.concurrency) if shares_process else sizes.of_child()
    _pool.update(connections=connections, parent=os.getpid())
    Workdirs().sweep()
    collect_seldom()
    if shares_process:
        finisher()  # once, before its threads all ask for it


@worker_process_init.connect
def _start_child(**_: Any) -> None:
    """A forked child builds its own clients, and dies with its parent."""
    for made in (platform, heartbeat, runner, leaving, finisher):
        made.cache_clear()
    start_error_tracking(settings(), "worker")
    _die_with_parent()


@worker_process_shutdown.connect
def _stop_child(**_: Any) -> None:
    if runner.cache_info().currsize:
        heartbeat().stop()
        runner().workdirs.close()


@worker_shutting_down.connect
def _drain(**_: Any) -> None:
    _draining[0] = 1


def _die_with_parent() -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # noqa: PLC0415  Linux only

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != _pool["parent"]:  # it died before we asked
        os.kill(os.getpid(), signal.SIGKILL)


app = build_app()
