"""Ids tell when they were made."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from stellwerk.clock import age_s, id_at, new_id, new_id_text


@pytest.mark.parametrize("made", [new_id, new_id_text])
def test_a_new_id_is_young(made: Callable[[], UUID | str]) -> None:
    assert 0 <= age_s(made()) + 0.001 < 10


def test_an_id_is_as_old_as_its_text() -> None:
    made = id_at(datetime.now(UTC) - timedelta(hours=1), "a")
    assert age_s(made) == pytest.approx(3600, abs=10)
    assert age_s(str(made)) == pytest.approx(age_s(made), abs=1)
