"""A mail as it travels (RFC 5322), from a payload of `email.send`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from uuid import UUID

from stellwerk.mail.letters import Letterhead, Written, write
from stellwerk.mailboxes import Mailbox, mailbox
from stellwerk.providers.mail.protocol import Parcel

Payload = Mapping[str, Any]


def message_id(job_id: UUID, sender: Mailbox) -> str:
    """The same for every attempt, so that whoever gets a mail twice can tell."""
    return f"<{job_id}@{sender.domain}>"


def compose(payload: Payload, job_id: UUID, *, sender: Mailbox, url: str, now: datetime) -> Parcel:
    """The whole mail, for everybody who is to get it."""
    to, cc, bcc = (_mailboxes(payload, name) for name in ("to", "cc", "bcc"))
    everybody = [sender, *to, *cc, *bcc]
    # Seven bits, since not every server takes eight; addresses beyond ASCII need SMTPUTF8 anyway.
    policy = SMTP.clone(cte_type="7bit", utf8=not all(one.is_ascii for one in everybody))
    message = EmailMessage(policy)
    message["From"] = sender.for_header()
    message["To"] = [one.for_header() for one in to]
    if cc:
        message["Cc"] = [one.for_header() for one in cc]
    if "reply_to" in payload:
        message["Reply-To"] = mailbox(payload["reply_to"]).for_header()
    message["Date"] = now
    message["Message-ID"] = message_id(job_id, sender)
    if "template" in payload:
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office notes, please
    _fill(message, _words(payload, Letterhead(sender.name or sender.domain, url)))
    recipients = _distinct(one.address for one in (*to, *cc, *bcc))
    return Parcel(message["Message-ID"], recipients, message.as_bytes())


def _fill(message: EmailMessage, words: Written) -> None:
    message["Subject"] = words.subject
    message.set_content(words.text)
    if words.html is not None:
        message.add_alternative(words.html, subtype="html")


def _words(payload: Payload, letterhead: Letterhead) -> Written:
    if "template" not in payload:
        return Written(payload["subject"], payload["text"], payload.get("html"))
    variables = payload.get("variables", {})
    return write(payload["template"], payload["language"], variables, letterhead)


def _mailboxes(payload: Payload, name: str) -> list[Mailbox]:
    return [mailbox(text) for text in payload.get(name, ())]


def _distinct(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(addresses))
