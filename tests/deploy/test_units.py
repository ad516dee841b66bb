"""The units for systemd run what the Procfile runs."""

import re
import shlex
from configparser import RawConfigParser

import pytest

from stellwerk.settings import Settings
from stellwerk.shipped import shipped
from stellwerk.stack.procfile import programs_of

UNIT = "deploy/systemd/stellwerk-worker@.service"


def service() -> dict[str, str]:
    """Its [Service] part; what is said twice counts as said last."""
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # documented: keep upper case
    parser.read(shipped(UNIT))
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


def test_a_worker_that_ends_is_started_again_and_one_that_stops_is_given_its_grace() -> None:
    assert service()["Restart"] == "always"
    grace_s = Settings.model_fields["shutdown_grace_s"].default
    assert float(service()["TimeoutStopSec"]) > grace_s
