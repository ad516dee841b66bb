"""Who is told what."""

import time

from stellwerk.live.events import EventId, Item, JobEvent, Notice
from stellwerk.live.topics import Found, Topics, of_user

JOB, OTHER = "job-a", "job-b"


class Ear:
    def __init__(self) -> None:
        self.heard: list[Item] = []

    def tell(self, item: Item) -> None:
        self.heard.append(item)

    def kinds(self) -> list[str]:
        return [item.type for item in self.heard if isinstance(item, JobEvent)]


def event(job_id: str, version: int, kind: str = "status", owner: str = "7") -> JobEvent:
    return JobEvent(job_id, owner, EventId(version, 0), kind, b"{}")


def found(version: int, *, is_final: bool = False) -> Found:
    return Found(JOB, "7", version, is_final=is_final, document=b"{}")


def test_events_go_to_those_of_the_job_and_documents_to_its_owner() -> None:
    topics, job, owner, stranger = Topics(), Ear(), Ear(), Ear()
    topics.attach(JOB, job)
    topics.attach(of_user(7), owner)
    topics.attach(of_user(8), stranger)
    for one in (event(JOB, 1), event(JOB, 1, "token"), event(OTHER, 1), event(OTHER, 2, owner="")):
        topics.deliver(one)
    assert job.kinds() == ["status", "token"]
    assert owner.kinds() == ["status", "status"]
    assert stranger.heard == []


def test_whoever_left_is_told_nothing_and_nothing_is_kept_of_them() -> None:
    topics, ear = Topics(), Ear()
    topics.attach(JOB, ear)
    topics.detach(JOB, ear)
    topics.detach(JOB, ear)
    topics.deliver(event(JOB, 1))
    assert ear.heard == []
    assert list(topics) == []


def test_a_hearer_may_leave_while_it_is_told() -> None:
    topics, second = Topics(), Ear()

    class Leaver(Ear):
        def tell(self, item: Item) -> None:
            super().tell(item)
            topics.detach(JOB, self)

    first = Leaver()
    topics.attach(JOB, first)
    topics.attach(JOB, second)
    for version in (1, 2):
        topics.deliver(event(JOB, version))
    assert len(first.heard) == 1
    assert len(second.heard) == 2


def test_silent_jobs_are_those_not_heard_of_with_what_all_their_hearers_know() -> None:
    topics = Topics()
    for topic in (JOB, OTHER, of_user(7)):
        topics.attach(topic, Ear())
    topics.know(JOB, 3)
    topics.know(JOB, 5)  # a later hearer knows more than the first
    before = time.monotonic()
    topics.deliver(event(OTHER, 4))
    assert topics.silent(before) == {JOB: 3}
    assert topics.silent(time.monotonic()) == {JOB: 3, OTHER: 4}


def test_an_event_without_a_document_makes_no_version_known() -> None:
    topics = Topics()
    topics.attach(JOB, Ear())
    topics.know(JOB, 3)
    topics.deliver(event(JOB, 6, "token"))
    assert topics.silent(time.monotonic()) == {JOB: 3}


def test_what_was_found_in_the_ledger_is_a_snapshot_and_the_end_if_it_is_one() -> None:
    topics, ear = Topics(), Ear()
    topics.attach(JOB, ear)
    topics.found(found(4))
    topics.found(found(5, is_final=True))
    assert ear.kinds() == ["snapshot", "snapshot", "end"]
    assert topics.silent(time.monotonic()) == {JOB: 5}


def test_after_closing_newcomers_are_told_so() -> None:
    topics, present, late = Topics(), Ear(), Ear()
    topics.attach(JOB, present)
    topics.tell_all(Notice.CLOSED)
    topics.attach(OTHER, late)
    assert present.heard == late.heard == [Notice.CLOSED]


def test_a_form_of_an_event_is_written_once() -> None:
    one, written = event(JOB, 1), []

    def write(event: JobEvent) -> str:
        written.append(event)
        return "text"

    assert [one.written("form", write) for _ in range(3)] == ["text"] * 3
    assert written == [one]


def test_an_end_follows_a_snapshot_of_the_same_version_and_nothing_else_does() -> None:
    sent = EventId(4, 0)
    assert event(JOB, 4, "end").is_news_after(sent)
    assert event(JOB, 5).is_news_after(sent)
    assert not event(JOB, 4).is_news_after(sent)
    assert not event(JOB, 3, "end").is_news_after(sent)
