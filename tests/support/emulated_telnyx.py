"""Telnyx by Prism, a third party's server that answers as an OpenAPI document says, on Node."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded import wait_until
from emulated_twilio import listens
from npm_packages import TESTS, installed, node
from stellwerk.stack.ports import free_port

START_LIMIT_S = 60.0
DOCUMENT = TESTS / "data" / "telnyx" / "telnyx.com.json"


@contextmanager
def running_telnyx(folder: Path) -> Iterator[str]:
    """Its address; what is asked in another way than the document has it is refused."""
    port = free_port()
    program = str(installed("@stoplight/prism-cli/dist/index.js"))
    arguments = ["mock", "--errors", "-h", "127.0.0.1", "-p", str(port), str(DOCUMENT)]
    with (folder / "prism.log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603  fixed arguments
            [str(node()), program, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
    try:
        wait_until(lambda: server.poll() is not None or listens(port), timeout_s=START_LIMIT_S)
        assert server.poll() is None, (folder / "prism.log").read_text()[-1000:]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)
