"""Services as processes of this machine.

Under root each instance runs as a user of its own, a number that no account has; else as the
platform's user, which keeps neither files nor processes of modules apart from the platform's.
"""

import os
import pwd
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stellwerk.choices import Mode, ModuleRuntime
from stellwerk.errors import (
    FieldError,
    InvalidInput,
    NotFound,
    ProviderRejected,
    ProviderUnavailable,
    StackError,
)
from stellwerk.providers.services.place import known_modules_dir, module_account, modules_dir
from stellwerk.providers.services.process.changes import change_of
from stellwerk.providers.services.process.descent import sees_descendants
from stellwerk.providers.services.process.interpreter import search_path
from stellwerk.providers.services.process.keepers import (
    SERVICES,
    end_keepers,
    services_in,
    start_keepers,
)
from stellwerk.providers.services.process.log import read_page
from stellwerk.providers.services.process.ownership import give_data
from stellwerk.providers.services.process.program import HOST
from stellwerk.providers.services.process.records import Records, Task
from stellwerk.providers.services.protocol import (
    OVER,
    LogPage,
    ServiceSpec,
    ServiceState,
    ServiceStatus,
)
from stellwerk.providers.services.removal import remove_tree
from stellwerk.providers.services.users import module_user
from stellwerk.settings import Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class ProcessServices:
    """As the protocol says. What there is stands in files; nothing of it in this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def kind(self) -> str:
        """As the protocol says."""
        return ModuleRuntime.PROCESS.value

    def refuse(self, spec: ServiceSpec) -> None:
        """As the protocol says; also where we are root and may not become the service's user."""
        _require_name(spec.name)
        if not spec.command:
            raise ProviderRejected(
                f"{spec.module_name} names no command: it runs as a container alone."
            )
        if not sees_descendants():
            raise ProviderRejected("This kernel does not tell whose children processes are.")
        with _clear_errors():
            uid = self._uid(spec)
        if uid is not None:
            _refuse_user(uid)
        elif self._settings.mode is Mode.PRODUCTION:
            _refuse_unconfined(self._settings)

    def create(self, spec: ServiceSpec) -> None:
        """As the protocol says."""
        self.refuse(spec)
        with _clear_errors():
            task = self._task(spec)
            one = Records(modules_dir(self._settings) / SERVICES / spec.name)
            with change_of(one.path):
                _put(one, task)

    def remove(self, name: str) -> None:
        """As the protocol says."""
        with self._changing(name) as (one, lock):
            end_keepers([one])
            remove_tree(one.path)
            lock.unlink(missing_ok=True)

    def start(self, name: str) -> None:
        """As the protocol says."""
        with self._changing(name) as (one, _):
            _require(one)
            one.want(wanted=True)
            start_keepers([one])

    def stop(self, name: str) -> None:
        """As the protocol says."""
        with self._changing(name) as (one, _):
            _require(one)
            one.want(wanted=False)
            end_keepers([one])

    def restart(self, name: str) -> None:
        """As the protocol says."""
        with self._changing(name) as (one, _):
            _require(one)
            one.want(wanted=True)
            end_keepers([one])
            start_keepers([one])

    def states(self) -> Mapping[str, ServiceState]:
        """As the protocol says."""
        with _clear_errors():
            modules = known_modules_dir(self._settings)
            found = (_state(one) for one in (services_in(modules) if modules else ()))
            return {state.name: state for state in found if state}

    def state(self, name: str) -> ServiceState | None:
        """As the protocol says."""
        with _clear_errors():
            return _state(self._known(name))

    def logs(self, name: str, *, tail: int = 100, cursor: str = "") -> LogPage:
        """As the protocol says; raises InvalidInput for a cursor that is not from here."""
        if cursor and not (cursor.isascii() and cursor.isdigit()):
            reason = FieldError("cursor", "Is not one that this log gave.")
            raise InvalidInput("The cursor is not one of this log.", errors=[reason])
        with _clear_errors():
            one = self._known(name)
            _require(one)
            return read_page(one.path, tail=tail, after=int(cursor) if cursor else None)

    def _known(self, name: str) -> Records:
        _require_name(name)
        modules = known_modules_dir(self._settings) or self._settings.home.absolute()
        return Records(modules / SERVICES / name)

    @contextmanager
    def _changing(self, name: str) -> Iterator[tuple[Records, Path]]:
        """A service that nobody else changes meanwhile, and the lock that says so."""
        with _clear_errors():
            _require_name(name)
            one = Records(modules_dir(self._settings) / SERVICES / name)
            with change_of(one.path) as lock:
                try:
                    yield one, lock
                finally:
                    if not one.path.exists():
                        lock.unlink(missing_ok=True)

    def _uid(self, spec: ServiceSpec) -> int | None:
        return module_user(self._settings, spec.port) if os.geteuid() == 0 else None

    def _task(self, spec: ServiceSpec) -> Task:
        uid = self._uid(spec)
        account = None if uid is None else module_account(uid)
        if account and not account.can_enter(spec.folder):
            raise ProviderRejected(f"{account.name} may not enter {spec.folder}.")
        return Task(spec, uid, search_path(account))


def _refuse_unconfined(settings: Settings) -> None:
    if not settings.allow_unconfined_modules:
        raise ProviderRejected(
            "In production mode modules do not run as the platform's own user, whose files and "
            "processes they could read: run the workers of `long` as root, which gives each "
            "instance a user of its own, choose STELLWERK_MODULE_RUNTIME=swarm, or allow it by "
            "STELLWERK_ALLOW_UNCONFINED_MODULES=true."
        )


def _put(one: Records, task: Task) -> None:
    """Have this task kept, unless it is there already and was stopped or has failed."""
    if one.task() != task:
        _make(one, task)
    elif not one.is_wanted() or _has_failed(one):
        return
    start_keepers([one])


def _make(one: Records, task: Task) -> None:
    """Write down a new service, or another one in an old one's place."""
    end_keepers([one])
    one.make()
    give_data(task.spec.data, task.uid)
    one.want(wanted=True)
    one.write_task(task)


def _has_failed(one: Records) -> bool:
    course = one.course()
    return course is not None and course.status is ServiceStatus.FAILED


def _state(one: Records) -> ServiceState | None:
    is_kept = one.has_keeper()  # before its course: a keeper writes that last
    task, course = one.task(), one.course()
    if task is None:
        return _unreadable(one) if one.has_task() else None
    status, message = ServiceStatus.STARTING, ""
    if course:
        status, message = course.status, course.message
    if not is_kept and not one.is_wanted():
        status = ServiceStatus.STOPPED
    elif not is_kept and status not in OVER:
        status, message = ServiceStatus.STOPPED, "Its keeper has ended: start it again."
    return ServiceState(
        name=task.spec.name,
        module_name=task.spec.module_name,
        instance_id=task.spec.instance_id,
        version=task.spec.version,
        status=status,
        address=f"{HOST}:{task.spec.port}",
        restarts=course.restarts if course else 0,
        started_at=course.started_at if course and status not in OVER else None,
        message=message,
    )


def _unreadable(one: Records) -> ServiceState:
    message = f"This release cannot read what {one.path} says of it: make it anew."
    return ServiceState(one.name, "", "", "", ServiceStatus.STOPPED, "", message=message)


def _require(one: Records) -> None:
    if one.task() is None:
        raise NotFound(f"There is no service {one.name}.")


def _require_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ProviderRejected(f"No service can be called {name[:120]!r}.")


def _refuse_user(uid: int) -> None:
    try:
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        account = ""
    remedy = "Set STELLWERK_MODULE_USERS_FROM to other numbers, or run Stellwerk without root."
    if account:
        raise ProviderRejected(f"User {uid}, for this module, is {account} here. {remedy}")
    try:
        module_account(uid).run("/bin/true")
    except OSError as exc:
        message = f"Root may not become user {uid} here ({exc.strerror}). {remedy}"
        raise ProviderRejected(message) from exc


@contextmanager
def _clear_errors() -> Iterator[None]:
    """What the machine refuses now, it may allow later."""
    try:
        yield
    except StackError as exc:
        raise ProviderUnavailable(exc.message) from exc
    except OSError as exc:
        raise ProviderUnavailable(f"{exc.filename or 'This machine'}: {exc.strerror}.") from exc
    except subprocess.SubprocessError as exc:
        raise ProviderUnavailable(str(exc)) from exc
