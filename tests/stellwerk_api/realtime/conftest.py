"""A front on the suite's servers, and a signed-in user of it."""

import pytest

from front import Front, signed_up_at
from full_stack import Client
from stellwerk.bootstrap import Platform


@pytest.fixture
def front(platform: Platform, front_process: Front) -> Front:  # noqa: ARG001  empties the ledger
    """The same, with an empty ledger."""
    return front_process


@pytest.fixture
def client(platform: Platform, front: Front) -> Client:
    """Somebody new, through the edge."""
    return signed_up_at(front.url, platform)
