"""The same life as services of a Docker Swarm, on a real engine."""

from collections.abc import Iterator
from typing import Any

import pytest

from docker_engine import IMAGE, shared_docker
from full_stack import full_stack, new_operator, operator_of
from module_story import Story, install_samples, tell

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.swarm,
    pytest.mark.xdist_group("swarm"),
    pytest.mark.timeout(280),
]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    place: dict[str, Any] = {
        "module_runtime": "swarm",
        "swarm_url": shared_docker(),
        "swarm_network": "host",
        "swarm_image": IMAGE,
        "module_drain_s": 1,
    }
    folder = tmp_path_factory.mktemp("swarm")
    with full_stack(folder, **place) as run:
        yield Story(run, operator_of(run, new_operator(run)), folder / "pulses")


def test_a_module_serves_every_request_through_failed_and_good_updates(story: Story) -> None:
    assert tell(story).answers > 50


def test_the_samples_run_there_too(story: Story) -> None:
    install_samples(story)
