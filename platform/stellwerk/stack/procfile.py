"""The Procfile: one line per process, with the shell's variables."""

from collections.abc import Mapping
from pathlib import Path

from honcho.environ import parse_procfile

from stellwerk.stack.process import Program

SHELL = "/bin/sh"


def programs_of(procfile: Path, env: Mapping[str, str]) -> list[Program]:
    """The Procfile's programs in its order; a role is a name up to its first underscore."""
    processes: dict[str, str] = parse_procfile(procfile.read_text()).processes
    return [
        Program(
            name=name,
            role=name.partition("_")[0],
            # exec: the shell gives its place to the program, which so gets our signals itself
            argv=(SHELL, "-c", f"exec {command}"),
            env=env,
        )
        for name, command in processes.items()
    ]
