"""Few calls to providers at once, so that a process has threads left for other requests."""

from contextlib import ExitStack

import pytest

from stellwerk.connections.servers import AT_ONCE, turn
from stellwerk.errors import Unavailable


def test_whoever_comes_when_all_turns_are_taken_is_sent_away() -> None:
    with ExitStack() as all_turns:
        for _ in range(AT_ONCE):
            all_turns.enter_context(turn())
        with pytest.raises(Unavailable), turn():
            pass
    with turn():
        pass
