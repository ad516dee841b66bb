"""`python -m stellwerk.stack.switch`: the simulator as a process, until a signal or a shutdown."""

import argparse
import asyncio
import signal
from pathlib import Path

from stellwerk.settings import environment
from stellwerk.stack.switch.exchange import Options
from stellwerk.stack.switch.server import HOST, serving

PASSWORD = "STELLWERK_ESL_PASSWORD"  # noqa: S105  the variable's name; its value is a secret


async def serve(options: Options) -> None:
    """Listen until SIGTERM, SIGINT or `fsctl shutdown`."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serving(options) as server:
        print(f"A simulator of FreeSWITCH listens on {HOST}:{server.port}.", flush=True)  # noqa: T201  the process's log
        waits = [asyncio.ensure_future(wait) for wait in (stopped.wait(), server.until_shut_down())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


def main() -> None:
    """Read the arguments; the password comes in the environment, since everybody sees arguments."""
    parser = argparse.ArgumentParser(prog="python -m stellwerk.stack.switch", description=__doc__)
    parser.add_argument("--port", type=int, default=8021, help="on loopback; 0: any free one")
    parser.add_argument("--folder", type=Path, help="where it writes down what it was asked")
    parser.add_argument("--sessions-per-second", type=int, default=30)
    parser.add_argument("--speed", type=float, default=1.0, help="10: ten times as fast")
    given = parser.parse_args()
    options = Options(
        password=environment().get(PASSWORD, ""),
        port=given.port,
        sessions_per_s=given.sessions_per_second,
        speed=given.speed,
        folder=given.folder,
    )
    if not options.password:
        parser.error(f"{PASSWORD} is not set")
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
