"""The shipped edge as a real process, before small upstreams."""

from collections.abc import Iterator

import httpx
import pytest

from caddy_edge import asking, running_edge
from upstreams import Ports, upstream


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    with running_edge(tmp_path_factory.mktemp("edge")) as chosen:
        yield chosen


@pytest.fixture
def client(ports: Ports) -> Iterator[httpx.Client]:
    with asking(ports) as made:
        yield made


@pytest.fixture
def web(ports: Ports) -> Iterator[None]:
    with upstream("web", ports.web):
        yield
