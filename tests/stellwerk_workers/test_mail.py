"""What becomes of mails, attempt by attempt; the mail server is aiosmtpd on a real socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from attempts import attempt
from engine import Engine
from mail_server import DROP, OK, MailServer, mail_server, mailer_for
from outcomes import ended
from results import assert_result_fits
from stellwerk.bootstrap import Platform
from stellwerk.errors import ErrorCode
from stellwerk.jobs import queries
from stellwerk.jobs.model import JobStep
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit
from stellwerk_workers.reports import Came

ADA, BOB, EVE = "ada@example.com", "bob@example.org", "eve@example.net"
WORDS = {"to": [ADA, BOB, EVE], "subject": "Grüße", "text": "Hello."}
LETTER = {
    "to": ADA,
    "template": "verify_email",
    "variables": {"link": "https://stellwerk.example.com/?token=abc", "valid_h": 24},
}


@dataclass(frozen=True, slots=True)
class Post:
    """A job that sends a mail, and a worker in the test's own process."""

    runtime: Runtime
    job_id: UUID

    def attempt(self) -> Came:
        """One attempt of it."""
        return attempt(self.runtime, self.job_id)

    def document(self) -> dict[str, Any]:
        """The job as its owner sees it."""
        here = self.runtime
        with here.sessions() as session:
            return queries.unsealed(session, here.registry, here.vault, self.job_id)

    def let_call_end(self) -> None:
        """As if the call whose outcome is unknown had begun long ago."""
        with self.runtime.sessions.begin() as session:
            step = session.get_one(JobStep, (self.job_id, "send", ""))
            step.call_timeout_s = -10.0


@contextmanager
def posting(platform: Platform, server: MailServer, payload: dict[str, Any]) -> Iterator[Post]:
    providers = replace(platform.runtime.providers, mail=mailer_for(server))
    runtime = replace(platform.runtime, providers=providers)
    yield Post(runtime, submit(runtime, Submission("email.send", payload, owner_id=None)))


def test_a_mail_is_sent_to_everybody(platform: Platform) -> None:
    with mail_server() as server, posting(platform, server, WORDS) as post:
        assert post.attempt() is Came.COMPLETED

    job = post.document()
    assert_result_fits(job)
    assert job["result"]["accepted"] == [ADA, BOB, EVE]
    (received,) = server.inbox
    assert received.recipients == (ADA, BOB, EVE)
    assert received.message["Message-ID"] == f"<{job['job_id']}@example.com>"
    assert received.message["Subject"] == "Grüße"


def test_a_server_that_asks_for_a_second_try_gets_one(platform: Platform) -> None:
    with mail_server(["451 4.7.1 Later", OK]) as server, posting(platform, server, WORDS) as post:
        assert post.attempt() is Came.AGAIN
        assert not server.inbox
        assert post.attempt() is Came.COMPLETED
    assert len(server.inbox) == 1


def test_a_mail_that_is_refused_for_good_ends_its_job(platform: Platform) -> None:
    with (
        mail_server(recipient=lambda who: f"550 5.1.1 <{who}> unknown") as server,
        posting(platform, server, WORDS) as post,
    ):
        assert post.attempt() is Came.FAILED
    error = post.document()["error"]
    assert (error["code"], error["retryable"]) == (ErrorCode.PROVIDER_REJECTED, False)
    assert "@" not in error["message"]


def test_those_whom_the_server_takes_later_get_it_later_and_the_others_not_again(
    platform: Platform,
) -> None:
    said = {BOB: "550 5.1.1 Unknown", EVE: "450 4.2.0 Greylisted"}
    with (
        mail_server(recipient=lambda who: said.get(who, OK)) as server,
        posting(platform, server, WORDS) as post,
    ):
        assert post.attempt() is Came.AGAIN
        assert post.attempt() is Came.AGAIN
        del said[EVE]
        assert post.attempt() is Came.COMPLETED

    assert [one.recipients for one in server.inbox] == [(ADA,), (EVE,)]
    assert len({one.message["Message-ID"] for one in server.inbox}) == 1
    result = post.document()["result"]
    assert result["accepted"] == [ADA, EVE]
    assert result["refused"] == [{"address": BOB, "reason": "550 5.1.1 Unknown"}]


def test_a_recipient_who_is_refused_in_the_end_does_not_undo_what_others_got(
    platform: Platform,
) -> None:
    said = {EVE: "450 4.2.0 Greylisted"}
    with (
        mail_server(recipient=lambda who: said.get(who, OK)) as server,
        posting(platform, server, WORDS) as post,
    ):
        assert post.attempt() is Came.AGAIN
        said[EVE] = "550 5.1.1 Unknown"
        assert post.attempt() is Came.COMPLETED

    result = post.document()["result"]
    assert result["accepted"] == [ADA, BOB]
    assert [one["address"] for one in result["refused"]] == [EVE]


def test_what_was_perhaps_sent_is_not_sent_again(platform: Platform) -> None:
    with mail_server([DROP, OK]) as server, posting(platform, server, WORDS) as post:
        assert post.attempt() is Came.AGAIN
        post.let_call_end()
        assert post.attempt() is Came.FAILED
    assert post.document()["error"]["code"] == ErrorCode.EFFECT_UNCERTAIN
    assert len(server.inbox) == 1


def test_a_letter_of_the_platform_that_was_perhaps_sent_is_sent_again(platform: Platform) -> None:
    with mail_server([DROP, OK]) as server, posting(platform, server, LETTER) as post:
        assert post.attempt() is Came.AGAIN
        post.let_call_end()
        assert post.attempt() is Came.COMPLETED
    first, second = server.inbox
    assert first.message["Message-ID"] == second.message["Message-ID"]


def test_a_server_that_vanishes_before_it_got_the_mail_leaves_no_doubt(platform: Platform) -> None:
    said = {ADA: DROP}
    with (
        mail_server(recipient=lambda who: said.get(who, OK)) as server,
        posting(platform, server, WORDS) as post,
    ):
        assert post.attempt() is Came.AGAIN
        said.clear()
        assert post.attempt() is Came.COMPLETED
    assert len(server.inbox) == 1


def test_without_a_mail_server_mails_are_kept_and_the_log_says_how_to_read_them(
    platform: Platform, engine: Engine
) -> None:
    job_id = submit(platform.runtime, Submission("email.send", LETTER, owner_id=None))
    assert ended(platform, job_id)["status"] == "completed"

    mails = (platform.settings.mails_path / "new").iterdir()
    (file,) = (path for path in mails if f"<{job_id}@stellwerk.example>" in path.read_text())
    lines = [line for line in worker_log(engine) if str(job_id) in line and "mail kept" in line]
    assert [f"stellwerk mail show {file.name[:8]}" in line for line in lines] == [True]
    assert "token=abc" not in lines[0]


def worker_log(engine: Engine) -> list[str]:
    """What the workers of the short queue wrote."""
    texts = [path.read_text() for path in engine.folder.glob("short-*.log")]
    return [line for text in texts for line in text.splitlines()]
