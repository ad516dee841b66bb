"""The web process: granian, whose workers are replaced without a failed request.

`python -m stellwerk_api.web` takes granian's options. On SIGHUP new workers load the code anew.
Once all have, the former take no more connections, ask clients to close those they have
(`Connection: close`), and end when every client has let go of its idle ones. Where a new worker
does not come up, the former go on.

The main process outlives the code it loaded, so this module imports nothing else of ours.
"""

# mypy: allow-untyped-calls
# Granian declares types for half of its functions.

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from types import FrameType
from typing import TYPE_CHECKING, Any

import granian.cli
from granian._granian import SocketHolder
from granian.server.mp import MPServer, WorkerProcess

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

COMES_UP_S = 120.0
# Clients keep idle connections for less: the edge and realtime for two seconds.
LETS_GO_S = 3.0
POLL_S = 0.05
RETIRE = signal.SIGUSR1

Loader = Callable[[], "WSGIApplication"]

logger = logging.getLogger("_granian")


class RollingServer(MPServer):
    """Granian's server with listening sockets that outlive every worker.

    There is one for each worker (SO_REUSEPORT), so that the kernel spreads connections evenly;
    what waits in one is served by that worker's successor.
    """

    def _init_shared_socket(self) -> None:
        self._listeners = [
            _listening(self.bind_addr, self.bind_port, self.backlog) for _ in range(self.workers)
        ]
        self._loaded: dict[WorkerProcess, Event] = {}
        self._ssp = None
        signal.signal(RETIRE, signal.SIG_IGN)  # inherited, until a worker has loaded the code

    def _drop_shared_socket(self) -> None:
        for listener in self._listeners:
            listener.close()

    def _spawn_worker(  # type: ignore[override]  # as MPServer has it, whose base is not true
        self, idx: int, target: Any, callback_loader: Loader
    ) -> WorkerProcess:
        self._sso = self._listeners[idx]
        fd = self._sso.fileno()
        self._shd = SocketHolder(fd, False, self.backlog)  # type: ignore[call-arg,assignment]  # noqa: FBT003  its stub has no constructor
        loaded = get_context().Event()
        loader = partial(_load, callback_loader, fd, loaded)
        worker = super()._spawn_worker(idx, target, loader)
        self._loaded[worker] = loaded
        return worker

    def _reload(self, spawn_target: Any, target_loader: Loader) -> None:
        self.main_loop_interrupt.clear()
        self.reload_signal = False
        fresh = [self._fresh(idx, spawn_target, target_loader) for idx in range(self.workers)]
        if self._come_up(fresh):
            logger.info("New workers have come up; the former take no more connections")
            self._retire(self._replace(fresh))
        else:
            logger.error("New workers do not come up; the former go on")
            self._give_up(fresh)
        if self.interrupt_signal or self.interrupt_children or self.reload_signal:
            self.main_loop_interrupt.set()  # what was asked meanwhile

    def _fresh(self, idx: int, target: Any, loader: Loader) -> WorkerProcess:
        worker = self._spawn_worker(idx, target, loader)
        worker.interrupt_by_parent = True  # its end is no crash of a worker at work
        worker.start()
        return worker

    def _come_up(self, fresh: Sequence[WorkerProcess]) -> bool:
        deadline = time.monotonic() + COMES_UP_S
        while not all(self._loaded[worker].is_set() for worker in fresh):
            is_late = time.monotonic() > deadline or self.interrupt_signal
            if is_late or not all(worker.is_alive() for worker in fresh):
                return False
            time.sleep(POLL_S)
        return True

    def _replace(self, fresh: list[WorkerProcess]) -> list[WorkerProcess]:
        former, self.wrks = self.wrks, fresh
        for worker in former:
            worker.interrupt_by_parent = True
        self.interrupt_children.clear()
        for worker in fresh:
            worker.interrupt_by_parent = False
        self._loaded = {worker: self._loaded[worker] for worker in fresh}
        return former

    def _retire(self, former: list[WorkerProcess]) -> None:
        for worker in former:
            if worker.is_alive():
                os.kill(worker.inner.pid, RETIRE)
        deadline = time.monotonic() + LETS_GO_S
        while time.monotonic() < deadline and not self.interrupt_signal:
            time.sleep(POLL_S)
        self._stop(former)

    def _give_up(self, fresh: list[WorkerProcess]) -> None:
        for worker in fresh:
            if not self._loaded.pop(worker).is_set():
                worker.kill()
        self._retire(fresh)  # one that has loaded the code may have requests already

    def _stop(self, workers: list[WorkerProcess]) -> None:
        """Let them end what they have begun, for `--workers-kill-timeout` at most."""
        at_work, self.wrks = self.wrks, workers
        self._stop_workers()
        self.wrks = at_work


class Retiring:
    """A worker's application, which can be told to take its leave."""

    def __init__(self, app: "WSGIApplication", listener_fd: int) -> None:
        self._app = app
        self._listener_fd = listener_fd
        self._is_leaving = False

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Let the application answer."""
        return self._app(environ, partial(self._start, start))

    def retire(self, _number: int, _frame: FrameType | None) -> None:
        """Accept nothing any more: our descriptor becomes a socket nobody connects to."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(0)
            os.dup2(silent.fileno(), self._listener_fd)
        self._is_leaving = True

    def _start(
        self,
        start: "StartResponse",
        status: str,
        headers: list[tuple[str, str]],
        exc_info: Any = None,
    ) -> Any:
        if self._is_leaving:
            headers = [*headers, ("Connection", "close")]
        return start(status, headers, exc_info)


def _load(loader: Loader, listener_fd: int, loaded: Event) -> Retiring:
    """In a worker: the application, of the code as it is now."""
    from stellwerk_api.slow_readers import write_apart  # noqa: PLC0415  not in the main process

    write_apart()
    app = Retiring(loader(), listener_fd)
    signal.signal(RETIRE, app.retire)
    loaded.set()
    return app


def _listening(host: str, port: int, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=backlog, reuse_port=True)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by what is accepted
    return listener


if __name__ == "__main__":
    vars(granian.cli)["Server"] = RollingServer  # what its command starts
    granian.cli.entrypoint()
