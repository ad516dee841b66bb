"""Workers that die while they send a mail: exactly one, or one more, or a question to a person."""

from collections.abc import Iterator

import pytest

from dying_posts import COMPLETED, LETTER, UNCERTAIN, WORDS, outcome, sent_while_dying
from emptying import empty
from engine import Engine, stop_engines
from mail_server import MailServer, mail_server
from stellwerk.bootstrap import Platform
from stellwerk.jobs.crash_points import CrashPoint
from stellwerk.settings import Settings

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("posting"), pytest.mark.timeout(240)]

IN_A_WORKER = (
    CrashPoint.AFTER_ACK_BEFORE_CLAIM,
    CrashPoint.AFTER_CLAIM,
    CrashPoint.BEFORE_EFFECT,
    CrashPoint.AFTER_EFFECT,
    CrashPoint.BEFORE_FINISH,
    CrashPoint.AFTER_FINISH,
)


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture(scope="module")
def smtp_settings(settings: Settings, server: MailServer) -> Settings:
    changes = {
        "mail_provider": "smtp",
        "mail_from": "Stellwerk <no-reply@example.com>",
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "smtp_security": "none",
        "smtp_timeout_s": 4.0,
    }
    return settings.model_copy(update=changes)


@pytest.fixture(scope="module")
def posting(
    shared_platform: Platform, smtp_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Workers that send by SMTP, and a dispatcher; what crashed once runs alone, on `long`.

    They start on an empty broker and ledger: jobs of made-up operations are not theirs.
    """
    stop_engines()
    empty(shared_platform)
    engine = Engine(smtp_settings, tmp_path_factory.mktemp("posting"))
    try:
        for role in ("short", "long", "dispatcher"):
            engine.start(role)
        yield engine
    finally:
        engine.stop()


@pytest.fixture
def at_work(platform: Platform, posting: Engine, server: MailServer) -> Engine:
    """The same, with an empty ledger and an empty inbox."""
    assert platform.settings.crash_folder
    posting.restart_what_ended()
    server.inbox.clear()
    return posting


@pytest.mark.parametrize("point", IN_A_WORKER)
def test_a_letter_of_the_platform_always_comes(
    platform: Platform, at_work: Engine, server: MailServer, point: CrashPoint
) -> None:
    job = sent_while_dying(platform, at_work, LETTER, point)

    assert outcome(job) == COMPLETED
    assert len(server.inbox) == (2 if point is CrashPoint.AFTER_EFFECT else 1)
    assert {one.message["Message-ID"] for one in server.inbox} == {f"<{job['job_id']}@example.com>"}


@pytest.mark.parametrize(
    ("point", "expected", "count"),
    [
        (CrashPoint.AFTER_CLAIM, COMPLETED, 1),
        (CrashPoint.BEFORE_EFFECT, UNCERTAIN, 0),
        (CrashPoint.AFTER_EFFECT, UNCERTAIN, 1),
        (CrashPoint.BEFORE_FINISH, COMPLETED, 1),
    ],
)
def test_words_of_somebodys_own_are_never_sent_twice(
    platform: Platform,
    at_work: Engine,
    server: MailServer,
    point: CrashPoint,
    expected: tuple[str, str | None],
    count: int,
) -> None:
    job = sent_while_dying(platform, at_work, WORDS, point)
    assert (outcome(job), len(server.inbox)) == (expected, count)
