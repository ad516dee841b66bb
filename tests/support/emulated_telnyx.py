"""Telnyx by Prism, a third party's server that answers as an OpenAPI document says, on Node."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node_server import node_server
from npm_packages import TESTS

DOCUMENT = TESTS / "data" / "telnyx" / "telnyx.com.json"


@contextmanager
def running_telnyx(folder: Path) -> Iterator[str]:
    """Its address; what is asked in another way than the document has it is refused."""
    arguments = ["mock", "--errors", "-h", "127.0.0.1", str(DOCUMENT)]
    with node_server("@stoplight/prism-cli/dist/index.js", arguments, folder) as port:
        yield f"http://127.0.0.1:{port}"
