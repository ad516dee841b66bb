"""Mails as they travel, read back with Python's parser."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import parseaddr
from typing import Any
from uuid import UUID

import pytest
from marshmallow import ValidationError

from stellwerk.mail.composition import compose
from stellwerk.mail.schemas import RECIPIENTS_MAX, SUBJECT_MAX, SendPayload
from stellwerk.mailboxes import Mailbox
from stellwerk.providers.mail.protocol import Parcel

JOB = UUID("0192d3a4-0000-7000-8000-000000000002")
SENDER = Mailbox("no-reply@example.com", "Stellwerk Müller")
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
WORDS: dict[str, Any] = {"subject": "Signals", "text": "Hello."}
LINE_MAX = 998  # RFC 5322, 2.1.1


def sent(*, sender: Mailbox = SENDER, **payload: Any) -> Parcel:
    loaded = SendPayload().load({"to": "ada@example.com", **payload})
    again = SendPayload().load(SendPayload().dump(loaded))
    assert again == loaded
    return compose(again, JOB, sender=sender, url="https://stellwerk.example.com", now=NOW)


def read(parcel: Parcel) -> EmailMessage:
    message = message_from_bytes(parcel.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def content(part: Message) -> str:
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_letter_of_the_platform_is_whole() -> None:
    values = {"link": "https://stellwerk.example.com/?token=abc", "valid_h": 24}
    parcel = sent(template="verify_email", variables=values, language="de")

    message = read(parcel)
    assert message["From"] == "Stellwerk Müller <no-reply@example.com>"
    assert message["To"] == "ada@example.com"
    assert message["Subject"] == "Bestätige deine E-Mail-Adresse"
    assert message["Date"].datetime == NOW
    assert message["Message-ID"] == parcel.message_id == f"<{JOB}@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    for part in message.iter_parts():
        assert values["link"] in part.get_content()


def test_words_of_the_senders_own_are_sent_as_they_are() -> None:
    message = read(sent(subject="Grüße, 你好 🚂", text="Zwölf Boxkämpfer\n\n.\nEnde"))
    assert message["Subject"] == "Grüße, 你好 🚂"
    assert content(message) == "Zwölf Boxkämpfer\n\n.\nEnde\n"
    assert "Auto-Submitted" not in message


def test_html_comes_beside_the_text() -> None:
    message = read(sent(**WORDS, html="<p>Hällo</p>"))
    plain, html = message.iter_parts()
    assert (content(plain), content(html)) == ("Hello.\n", "<p>Hällo</p>\n")


def test_blind_copies_get_it_and_nobody_reads_who_they_are() -> None:
    parcel = sent(
        **WORDS,
        to=["Ada <ada@example.com>", "bob@example.com"],
        cc="cy@example.com",
        bcc=["eve@example.com", "ada@example.com"],
    )
    addresses = ("ada@example.com", "bob@example.com", "cy@example.com", "eve@example.com")
    assert parcel.recipients == addresses
    message = read(parcel)
    assert (message["To"], message["Cc"]) == (
        "Ada <ada@example.com>, bob@example.com",
        addresses[2],
    )
    assert b"eve@" not in parcel.content


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Jürgen Größe <j@example.com>", "Jürgen Größe"),
        ('"Müller, Ada \\"A\\"" <j@example.com>', 'Müller, Ada "A"'),
        ("Müller, Ada <j@example.com>", "Müller, Ada"),
        ("李 明 <j@example.com>", "李 明"),
        (f"{'Ä' * 100} <j@example.com>", "Ä" * 100),
    ],
    ids=["umlauts", "quoted", "comma", "chinese", "long"],
)
def test_names_arrive_as_they_were_written(written: str, shown: str) -> None:
    parcel = sent(**WORDS, to=written, reply_to=written)
    for header in ("To", "Reply-To"):
        name, address = parseaddr(message_from_bytes(parcel.content)[header])
        assert (str(make_header(decode_header(name))), address) == (shown, "j@example.com")
    assert parcel.content.isascii()


def test_a_domain_beyond_ascii_travels_as_ascii() -> None:
    parcel = sent(**WORDS, to="ada@müller.example")
    assert parcel.recipients == ("ada@xn--mller-kva.example",)
    assert read(parcel)["To"] == "ada@xn--mller-kva.example"
    assert parcel.content.isascii()


def test_an_address_beyond_ascii_stands_in_the_header_as_it_is() -> None:
    parcel = sent(**WORDS, to="Jürgen <jürgen@müller.example>")
    assert parcel.recipients == ("jürgen@xn--mller-kva.example",)
    assert "jürgen@xn--mller-kva.example".encode() in parcel.content


@pytest.mark.parametrize("text", ["x" * 5000, "ü" * 5000, "word " * 1000, "y" * 997 + "\n.\n" * 3])
def test_no_line_is_too_long_on_its_way(text: str) -> None:
    parcel = sent(subject="s" * SUBJECT_MAX, text=text, html=f"<p>{text}</p>")
    assert max(map(len, parcel.content.split(b"\r\n"))) <= LINE_MAX
    assert b"\n" not in parcel.content.replace(b"\r\n", b"")
    message = read(parcel)
    assert message["Subject"] == "s" * SUBJECT_MAX
    assert content(next(message.iter_parts())).rstrip("\n") == text.rstrip("\n")


def test_a_message_id_of_a_long_domain_stays_in_one_piece() -> None:
    sender = Mailbox(f"no-reply@{'long.' * 30}example.com")
    parcel = sent(sender=sender, **WORDS)
    assert read(parcel)["Message-ID"] == f"<{JOB}@{sender.domain}>"


EVIL = "\r\nBcc: eve@example.com"


@pytest.mark.parametrize(
    "payload",
    [
        {"subject": f"Signals{EVIL}"},
        {"subject": "Signals\nBcc: eve@example.com"},
        {"subject": "Signals\x0bBcc: eve@example.com"},
        {"subject": "Signals\u2028Bcc: eve@example.com"},
        {"subject": "Signals\x85Bcc: eve@example.com"},
        {"to": f"ada@example.com{EVIL}"},
        {"to": f"Ada{EVIL} <ada@example.com>"},
        {"to": f'"Ada{EVIL}" <ada@example.com>'},
        {"cc": [f"ada@example.com{EVIL}"]},
        {"reply_to": f"Ada{EVIL} <ada@example.com>"},
        {"to": "ada@example.com, eve@example.com"},
        {"to": "ada@example.com> RCPT TO:<eve@example.com"},
        {"to": "Ada <ada@example.com> <eve@example.com>"},
    ],
    ids=str,
)
def test_nothing_of_a_payload_begins_another_header(payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        sent(**{**WORDS, **payload})


def test_what_passes_the_schema_by_mistake_is_stopped_by_the_message() -> None:
    payload = {"to": ["ada@example.com"], "subject": f"Signals{EVIL}", "text": "Hello."}
    with pytest.raises(ValueError, match="linefeed"):
        compose(payload, JOB, sender=SENDER, url="https://x.example", now=NOW)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"text": "Hello."}, "subject"),
        ({"subject": "Signals"}, "text"),
        ({"template": "verify_email"}, "variables"),
        ({"template": "verify_email", "variables": {}, "subject": "Signals"}, "subject"),
        ({"template": "no_such_letter"}, "template"),
        ({**WORDS, "variables": {}}, "variables"),
        ({**WORDS, "language": "fr"}, "language"),
        ({**WORDS, "to": []}, "to"),
        ({**WORDS, "to": "nobody"}, "to"),
        ({**WORDS, "to": [f"a{i}@example.com" for i in range(RECIPIENTS_MAX + 1)]}, "to"),
        ({**WORDS, "cc": [f"a{i}@example.com" for i in range(RECIPIENTS_MAX)]}, "to"),
        ({**WORDS, "subject": "s" * (SUBJECT_MAX + 1)}, "subject"),
        ({**WORDS, "from": "eve@example.com"}, "from"),
    ],
    ids=str,
)
def test_a_payload_that_cannot_be_sent_is_refused_by_field(
    payload: dict[str, Any], field: str
) -> None:
    assert set(SendPayload().validate({"to": "ada@example.com", **payload})) == {field}
