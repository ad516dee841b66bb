"""Workers that die while they put a mail into the home: it is there once."""

from itertools import product

import pytest

from dying_posts import COMPLETED, LETTER, WORDS, all_sent_while_dying, outcome
from engine import Engine
from stellwerk.bootstrap import Platform
from stellwerk.jobs.crash_points import CrashPoint

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

POINTS = (CrashPoint.BEFORE_EFFECT, CrashPoint.AFTER_EFFECT)


def test_mails_kept_in_the_home_are_there_once(platform: Platform, engine: Engine) -> None:
    jobs = all_sent_while_dying(platform, engine, product((WORDS, LETTER), POINTS))

    assert [outcome(job) for job in jobs] == [COMPLETED] * 4
    mails = [path.read_text() for path in (platform.settings.mails_path / "new").iterdir()]
    assert [sum(job["job_id"] in mail for mail in mails) for job in jobs] == [1] * 4
