"""Workers that die while they put a mail into the home: it is there once."""

from typing import Any

import pytest

from dying_posts import COMPLETED, LETTER, WORDS, outcome, sent_while_dying
from engine import Engine
from stellwerk.bootstrap import Platform
from stellwerk.jobs.crash_points import CrashPoint

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]


@pytest.mark.parametrize("point", [CrashPoint.BEFORE_EFFECT, CrashPoint.AFTER_EFFECT])
@pytest.mark.parametrize("payload", [WORDS, LETTER], ids=["words", "letter"])
def test_mails_kept_in_the_home_are_there_once(
    platform: Platform, engine: Engine, payload: dict[str, Any], point: CrashPoint
) -> None:
    job = sent_while_dying(platform, engine, payload, point)

    assert outcome(job) == COMPLETED
    mails = [path.read_text() for path in (platform.settings.mails_path / "new").iterdir()]
    assert sum(job["job_id"] in mail for mail in mails) == 1
