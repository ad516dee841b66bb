"""Which services of a swarm are ours."""

from typing import Any

import pytest

from stellwerk.providers.services.swarm import labels
from stellwerk.providers.services.swarm.body import Place
from stellwerk.providers.services.swarm.reading import is_ours, states_of

PLACE = Place("stellwerk", "host", "python:3", "1000:1000")
WRITTEN = dict.fromkeys(labels.ALL, "1") | {labels.STACK: "stellwerk"}


def service(name: str, written: dict[str, str] | None) -> dict[str, Any]:
    return {"ID": name, "Spec": {"Name": name, "Labels": written, "Mode": {"Global": {}}}}


@pytest.mark.parametrize(
    "foreign",
    [
        service("database", WRITTEN),
        service("stellwerk_database", {labels.STACK: "stellwerk"}),
        service("stellwerk_database", WRITTEN | {labels.STACK: "other"}),
        service("stellwerk_database", None),
    ],
)
def test_what_somebody_else_made_is_not_told_of(foreign: dict[str, Any]) -> None:
    assert states_of([foreign], [], PLACE) == {}


def test_what_has_our_name_and_all_our_labels_is_ours() -> None:
    assert is_ours(service("stellwerk_clock", WRITTEN), "stellwerk")
