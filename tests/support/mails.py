"""Mails about accounts: a worker of the test's own writes them, and they are read back."""

import mailbox
import re
from email.message import Message

from sqlalchemy import select

from attempts import attempt
from stellwerk.bootstrap import Platform
from stellwerk.jobs.model import Job

WRITING = ("accounts.notify", "email.send")


def write_mails(platform: Platform) -> None:
    """Carry out whatever is to be written to somebody."""
    waiting = Job.operation.in_(WRITING), Job.status == "queued"
    due = select(Job.id).where(*waiting).order_by(Job.id)
    while True:
        with platform.runtime.sessions() as session:
            found = session.scalars(due).all()
        if not found:
            return
        for job_id in found:
            attempt(platform.runtime, job_id)


def mails_to(platform: Platform, address: str) -> list[Message]:
    """What was written to an address, once everything is written; the oldest first."""
    write_mails(platform)
    settings = platform.settings
    folder = settings.mail_dir or settings.home / "mail"
    found = [mail for mail in mailbox.Maildir(folder) if address in str(mail["To"])]
    return sorted(found, key=lambda mail: str(mail["Message-ID"]))  # it holds the job's UUIDv7


def text_of(mail: Message) -> str:
    """Its plain text."""
    for part in mail.walk():
        if part.get_content_type() == "text/plain":
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            return payload.decode()
    raise AssertionError(mail.as_string())


def token_in(mail: Message) -> str:
    """The token of the link in it."""
    (token,) = set(re.findall(r"[?]token=([\w-]+)", text_of(mail)))
    return str(token)
