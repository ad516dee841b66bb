"""The Procfile: one line per process, with the shell's variables."""

import signal
from collections.abc import Mapping
from pathlib import Path

from honcho.environ import parse_procfile

from stellwerk.stack.process import Program

SHELL = "/bin/sh"

# Caddy would wait for sockets, which nobody is at the other end of once the edge has ended.
STOP_SIGNALS = {"gateway": signal.SIGQUIT}


def programs_of(procfile: Path, env: Mapping[str, str]) -> list[Program]:
    """The Procfile's programs in its order; a role is a name up to its first underscore."""
    processes: dict[str, str] = parse_procfile(procfile.read_text()).processes
    return [_program(name, command, env) for name, command in processes.items()]


def _program(name: str, command: str, env: Mapping[str, str]) -> Program:
    role = name.partition("_")[0]
    return Program(
        name=name,
        role=role,
        # exec: the shell gives its place to the program, which so gets our signals itself
        argv=(SHELL, "-c", f"exec {command}"),
        env=env,
        stop_signal=STOP_SIGNALS.get(role, signal.SIGTERM),
    )
