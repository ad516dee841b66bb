"""Finds server processes of tests by the port they listen on."""

import psutil


def server_at(url: str) -> psutil.Process:
    """The process below this one that listens on the port of `url`."""
    port = int(url.rpartition(":")[2].split("/")[0])
    return next(
        process
        for process in psutil.Process().children(recursive=True)
        if any(found.laddr.port == port for found in process.net_connections("tcp"))
    )
