"""A Docker Swarm as a place where the services of tests run."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from docker_engine import IMAGE, docker_client, shared_docker
from service_places import PLACES, ServicePlace
from stellwerk.providers.services.choice import services
from stellwerk.providers.services.place import modules_dir, remove_modules
from stellwerk.providers.services.protocol import ServiceSpec
from stellwerk.settings import environment, load_settings


class SwarmPlace(ServicePlace):
    """One that does not wait for the ends of what nobody looks at any more: 3 s each."""

    def remove_all(self) -> None:
        with closing(docker_client(self.settings["swarm_url"])) as api:
            while self.made:
                try:
                    api.remove_service(self.made.pop())
                except NotFound:
                    continue

    def user_of(self, spec: ServiceSpec) -> int:
        return load_settings(**self.settings).module_user(spec.port)


@contextmanager
def swarm_place(folder: Path) -> Iterator[SwarmPlace]:
    """Services on the engine of this test process, on this machine's network."""
    given = swarm_settings(folder)
    settings = load_settings(**given)
    place = SwarmPlace(services(settings), given, modules_dir(settings))
    try:
        yield place
    finally:
        place.remove_all()
        remove_modules(folder)


def swarm_settings(folder: Path) -> dict[str, Any]:
    """Settings of a platform whose modules run there; skips where no engine can be started."""
    return {
        "home": folder,
        "module_runtime": "swarm",
        "swarm_url": shared_docker(),
        "swarm_network": "host",
        "swarm_image": IMAGE,
    }


TRIES_ALL = environment().get("TEST_SWARM") == "all"


def skip_what_docker_does(request: pytest.FixtureRequest, place: ServicePlace) -> None:
    """Skip, with its reason, a case that tells nothing of what we do with a swarm."""
    marker = request.node.get_closest_marker("not_in_a_swarm")
    if marker and place.services.kind == "swarm" and not TRIES_ALL:
        pytest.skip(f"{marker.args[0]} (TEST_SWARM=all tries it)")


MARKS = [pytest.mark.swarm, pytest.mark.xdist_group("swarm")]  # one engine, in one test process
EVERY_PLACE = {**PLACES, "swarm": swarm_place}
EVERYWHERE = [*PLACES, pytest.param("swarm", marks=MARKS)]
