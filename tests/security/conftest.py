"""One stack with planted secrets, for all who search what it tells."""

from collections.abc import Iterator

import pytest

from planted import Scene, a_scene
from planting import use_secrets


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("planted")) as made:
        yield made


@pytest.fixture(scope="session")
def used(scene: Scene) -> Scene:
    """The same, after everything was done that involves a secret, well and badly."""
    use_secrets(scene)
    return scene
