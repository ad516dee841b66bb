"""The units for systemd run what the Procfile runs."""

import re
import shlex
from configparser import RawConfigParser

import pytest

from stellwerk.settings import Settings
from stellwerk.shipped import shipped
from stellwerk.stack.procfile import programs_of

WORKER = "stellwerk-worker@"
UNITS = (WORKER, "stellwerk-telephony")


def service(unit: str = WORKER) -> dict[str, str]:
    """Its [Service] part; what is said twice counts as said last."""
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # documented: keep upper case
    parser.read(shipped(f"deploy/systemd/{unit}.service"))
    return dict(parser["Service"])


@pytest.mark.parametrize(
    ("queue", "pool", "slots"), [("short", "threads", 8), ("long", "prefork", 2)]
)
def test_a_units_worker_is_the_procfiles(queue: str, pool: str, slots: int) -> None:
    said = service()["ExecStart"].replace("%i", queue).replace("%%", "%")
    said = said.replace("${POOL}", pool).replace("${SLOTS}", str(slots))
    program, *arguments = shlex.split(said)
    (line,) = (
        program.argv[-1]
        for program in programs_of(shipped("Procfile"), {})
        if program.name == f"worker_{queue}"
    )
    line = re.sub(r'"\$\{\w+:-(\w+)\}"', r"\1", line.removeprefix("exec "))

    assert program.endswith("/celery")
    assert ["celery", *arguments] == shlex.split(line)


def test_the_unit_that_dials_is_the_procfiles() -> None:
    (line,) = (
        program.argv[-1]
        for program in programs_of(shipped("Procfile"), {})
        if program.name == "telephony"
    )
    said = service("stellwerk-telephony")["ExecStart"]
    assert said == f"/opt/stellwerk/.venv/bin/{line.removeprefix('exec ')}"


@pytest.mark.parametrize("unit", UNITS)
def test_what_ends_is_started_again_and_what_stops_is_given_its_grace(unit: str) -> None:
    assert service(unit)["Restart"] == "always"
    grace_s = Settings.model_fields["shutdown_grace_s"].default
    assert float(service(unit)["TimeoutStopSec"]) > grace_s
