"""Finds server processes of tests by the port they listen on."""

from contextlib import suppress

import psutil


def server_at(url: str) -> psutil.Process:
    """The process below this one that listens on the port of `url`."""
    port = int(url.rpartition(":")[2].split("/")[0])
    return next(
        process for process in psutil.Process().children(recursive=True) if _listens(process, port)
    )


def _listens(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):  # another one, which has ended meanwhile
        return any(found.laddr.port == port for found in process.net_connections("tcp"))
    return False
