"""What a container manager wants to know before it serves."""

from pathlib import Path
from typing import Any

import pytest

from stellwerk.errors import ConfigurationError
from stellwerk.settings import load_settings
from stellwerk.stack.container_manager.__main__ import options_of
from stellwerk.stack.container_manager.server import server


def serve(**given: Any) -> None:
    with server(options_of(load_settings(**given))):
        pass


def test_it_wants_the_folder_of_modules() -> None:
    with pytest.raises(ConfigurationError, match="STELLWERK_MODULES_DIR"):
        serve(container_manager_listen="tcp://127.0.0.1:0", swarm_token="x")


def test_a_port_wants_a_token(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="STELLWERK_SWARM_TOKEN"):
        serve(container_manager_listen="tcp://127.0.0.1:0", modules_dir=tmp_path)


@pytest.mark.parametrize("place", ["/run/socket", "tcp://127.0.0.1", "http://127.0.0.1:1"])
def test_other_places_to_listen_are_refused(place: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="to listen on"):
        serve(container_manager_listen=place, modules_dir=tmp_path)


def test_the_socket_of_one_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    for _ in range(2):
        serve(container_manager_listen=f"unix://{tmp_path}/socket", modules_dir=tmp_path)
    assert (tmp_path / "socket").is_socket()
