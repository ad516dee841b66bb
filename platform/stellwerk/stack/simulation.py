"""The simulator of a switch in a stack: in development, where no real one is set up."""

import sys
from pathlib import Path

from pydantic import SecretStr

from stellwerk.choices import CallProvider, Mode
from stellwerk.settings import Settings, environment
from stellwerk.stack.process import Program

ADDRESS = "127.0.0.1"
NAME = "switch"  # of the process, its port and its folder in the home
ANNOUNCEMENT = "/announcements/recording.wav"  # the simulator plays any file, for a second


def is_simulated(given: Settings) -> bool:
    """Whether calls go to a simulator: never in production, nor where a provider is set up."""
    is_development = given.mode is not Mode.PRODUCTION
    return is_development and given.call_provider is CallProvider.FREESWITCH and not given.esl_host


def switch_settings(given: Settings, home: Path, port: int, password: str) -> dict[str, object]:
    """What the settings of calls are with a simulator; nothing where there is none."""
    if not is_simulated(given):
        return {}
    return {
        "esl_host": ADDRESS,
        "esl_port": port,
        "esl_password": SecretStr(password),
        "esl_announcement": given.esl_announcement or ANNOUNCEMENT,
        "call_recordings_dir": home / NAME / "recordings",
    }


def switch_program(port: int, password: str) -> Program:
    """The simulator's process; its password stands in its environment, which no list shows."""
    argv = (sys.executable, "-P", "-m", "stellwerk.stack.switch", "--port", str(port))
    env = {**environment(), "STELLWERK_ESL_PASSWORD": password}
    return Program(name=NAME, role=NAME, argv=argv, env=env)


def switch_urls(filled: Settings, *, is_simulator: bool) -> dict[str, str]:
    """Where calls go, as `stellwerk status` shows it."""
    if not filled.esl_host:
        return {}
    label = " (simulator: it calls nobody)" if is_simulator else ""
    return {NAME: f"{filled.esl_host}:{filled.esl_port}{label}"}
