"""A container manager before no Docker, and folders of two instances."""

from collections.abc import Iterator

import pytest

from managers import ID, NETWORK, NOWHERE, OTHER, Manager, running_manager


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    modules = tmp_path_factory.mktemp("modules")
    for name in (f"clock_{ID}", f"clock_{OTHER}"):
        (modules / name / "releases" / "1.0.0").mkdir(parents=True)
        (modules / name / "data").mkdir()
    for name in (".services", ".kept/clock", f"clock_{ID}/more"):
        (modules / name).mkdir(parents=True)
    (modules / f"clock_{ID}" / "out").symlink_to("/etc")
    (modules / f"clock_{ID}" / "releases" / "out").symlink_to("/etc")
    (modules / f"clock_{ID}" / "file").touch()
    with running_manager(NOWHERE, modules, NETWORK) as url:
        yield Manager(url, modules)
