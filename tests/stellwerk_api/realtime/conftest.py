"""A front on the suite's servers, and a signed-in user of it."""

import pytest

from front import Front
from full_stack import Client
from stellwerk.bootstrap import Platform


@pytest.fixture
def front(platform: Platform, front_process: Front) -> Front:  # noqa: ARG001  empties the ledger
    """The same, with an empty ledger."""
    return front_process


@pytest.fixture
def client(front: Front) -> Client:
    """Somebody new, through the edge."""
    return Client(front.url).sign_up()
