"""The same life as services of a Docker Swarm, on a real engine."""

from pathlib import Path
from typing import Any

import pytest

from docker_engine import IMAGE, shared_docker
from full_stack import full_stack, new_operator, operator_of
from module_story import Story, tell

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.swarm,
    pytest.mark.xdist_group("swarm"),
    pytest.mark.timeout(280),
]


def test_a_module_serves_every_request_through_failed_and_good_updates(tmp_path: Path) -> None:
    place: dict[str, Any] = {
        "module_runtime": "swarm",
        "swarm_url": shared_docker(),
        "swarm_network": "host",
        "swarm_image": IMAGE,
        "module_drain_s": 1,
    }
    with full_stack(tmp_path, **place) as run:
        operator = operator_of(run, new_operator(run))
        story = Story(run, operator, tmp_path / "pulses", has_second=False)
        visitor = tell(story)  # each end of a task takes Docker 3 s
    assert visitor.answers > 50
