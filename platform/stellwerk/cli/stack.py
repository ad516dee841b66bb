"""`stellwerk up`, `down`, `status` and `restart`."""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import psutil

from stellwerk.errors import NotRunning, StackError
from stellwerk.settings import load_settings
from stellwerk.shipped import shipped
from stellwerk.stack.home import Home
from stellwerk.stack.lock import holder_of
from stellwerk.stack.report import read_report
from stellwerk.stack.stopping import Stop

POLL_S = 0.1
END_TIMEOUT_S = 120.0


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Public port; 0: any free one.")
@click.option("--verbose", is_flag=True, help="Show every process's log lines.")
@click.option(
    "--procfile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run these processes rather than the shipped ones.",
)
def up(port: int | None, procfile: Path | None, *, verbose: bool) -> None:
    """Start the platform in the foreground; Ctrl-C ends everything it started.

    Starts Postgres and Redis (Valkey) too where DATABASE_URL and REDIS_URL are not set.
    """
    from stellwerk.stack.up import Options, run_stack  # noqa: PLC0415  keeps `status` quick

    chosen = {} if port is None else {"port": port, "tls_port": port}
    options = Options(procfile=procfile or shipped("Procfile"), say=_say, verbose=verbose)
    stop = Stop()
    with stop.on_signals():
        run_stack(load_settings(**chosen), options, stop)


@click.command()
@click.option("--timeout", "timeout_s", default=END_TIMEOUT_S, show_default=True, help="Seconds.")
@click.option("--json", "as_json", is_flag=True, help="The home and its state.")
def down(timeout_s: float, *, as_json: bool) -> None:
    """End the platform that runs on this home, and wait until it is gone."""
    home = _home()
    holder = holder_of(home.lock_file)
    if holder is None:
        raise _not_running(home)
    if psutil.pid_exists(holder.pid):
        os.kill(holder.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while holder_of(home.lock_file):
        if time.monotonic() > deadline:
            raise StackError(f"Still ending after {timeout_s:g} s; see {home.logs}.")
        time.sleep(POLL_S)
    said = {"home": str(home.path), "state": "down"}
    click.echo(json.dumps(said) if as_json else "Stellwerk is down.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The document as stack.json has it.")
def status(*, as_json: bool) -> None:
    """Show URLs and processes of the running platform."""
    home = _home()
    report = read_report(home)
    if report is None:
        raise _not_running(home)
    click.echo(json.dumps(report, indent=2) if as_json else _table(report))


@click.command()
@click.argument("names", nargs=-1, required=True)
def restart(names: tuple[str, ...]) -> None:
    """Start processes again, one after the other, by the names that `status` shows.

    `workers` are all workers; `all` is everything but the databases and the edge, in the order of a
    deploy. `web` takes its new code into use without a failed request. Others end first.
    """
    from stellwerk.stack import restarting  # noqa: PLC0415  as above

    home = _home()
    for name in restarting.named(home, names):
        restarting.restart(home, name)
        click.echo(f"{name} runs again.")


def _home() -> Home:
    return Home(load_settings().home.absolute())


def _not_running(home: Home) -> NotRunning:
    return NotRunning(f"Nothing runs in {home.path}. Start it with `stellwerk up`.")


def _table(report: dict[str, Any]) -> str:
    lines = [
        f"{report.get('state', 'starting')}  pid {report.get('pid')}  {report.get('home')}",
        "",
    ]
    lines += [f"{name:<10}{url}" for name, url in report.get("urls", {}).items()]
    lines += ["", f"{'process':<14}{'pid':<9}{'restarts':<10}started"]
    lines += [
        f"{entry['name']:<14}{entry['pid'] or 'waiting':<9}{entry['restarts']:<10}"
        f"{entry['started_at']}"
        for entry in report.get("processes", ())
    ]
    return "\n".join(lines)


def _say(line: str) -> None:
    with suppress(OSError):  # the terminal is gone; the platform is not
        click.echo(line)
