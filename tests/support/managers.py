"""Container managers in threads of the test process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stellwerk.stack.container_manager.server import Options, server
from stellwerk.stack.container_manager.services import Limits, Rules
from stellwerk.stack.ports import free_port

TOKEN = "only-the-platform-knows"  # noqa: S105  of throw-away servers on loopback
MOST = Limits(512 * 1024**2, 1.0, 64)


@contextmanager
def running_manager(docker: str, modules: Path, network: str) -> Iterator[str]:
    """The address of one for the stack `stellwerk`."""
    listen = f"tcp://127.0.0.1:{free_port()}"
    rules = Rules("stellwerk", network, modules, MOST)
    with server(Options(listen, docker, 5.0, rules, TOKEN)) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield listen
        finally:
            serving.shutdown()
            thread.join()
