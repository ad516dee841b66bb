"""A front on the suite's servers, and a signed-in user of it."""

from collections.abc import Iterator

import pytest

from front import Front, running_front
from full_stack import Client
from stellwerk.bootstrap import Platform
from stellwerk.settings import Settings


@pytest.fixture(scope="session")
def front_process(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Edge, web and realtime; they stay up for the whole test process."""
    with running_front(settings, tmp_path_factory.mktemp("front")) as front:
        yield front


@pytest.fixture
def front(platform: Platform, front_process: Front) -> Front:  # noqa: ARG001  empties the ledger
    """The same, with an empty ledger."""
    return front_process


@pytest.fixture
def client(front: Front) -> Client:
    """Somebody new, through the edge."""
    return Client(front.url).sign_up()
