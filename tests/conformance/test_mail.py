"""What every mailer does; SMTP is spoken to aiosmtpd on a real socket."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from mail_server import SENDER, mail_server, mailer_for
from stellwerk.errors import ProviderDeferred
from stellwerk.providers.mail.local import LocalMailer
from stellwerk.providers.mail.protocol import Mailer, Parcel
from stellwerk.stack.ports import free_port

ADA, BOB = "ada@example.com", "bob@example.org"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A mailer, and the messages that came of what it was given."""

    mailer: Mailer
    messages: Callable[[], Sequence[EmailMessage]]


@pytest.fixture(params=["local", "smtp"])
def delivery(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Delivery]:
    if request.param == "local":
        folder = tmp_path / "mail"
        yield Delivery(LocalMailer(folder, SENDER), lambda: in_maildir(folder))
        return
    with mail_server() as server:
        yield Delivery(mailer_for(server), lambda: [one.message for one in server.inbox])


def in_maildir(folder: Path) -> list[EmailMessage]:
    parser = BytesParser(policy=policy.default)
    paths = sorted((folder / "new").iterdir())
    return [parser.parsebytes(path.read_bytes()) for path in paths]


def parcel(content: bytes = b"Hello.\r\n", name: str = "one") -> Parcel:
    message_id = f"<{name}@example.com>"
    headers = {"From": SENDER.address, "To": ADA, "Subject": "Signals", "Message-ID": message_id}
    head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    return Parcel(message_id, (ADA, BOB), head.encode() + b"\r\n" + content)


def test_a_mail_arrives_as_it_was_written(delivery: Delivery) -> None:
    handed_over = delivery.mailer.send(parcel(b"Hello.\r\n.\r\n..and more\r\n"))

    assert (handed_over.accepted, handed_over.refused) == ((ADA, BOB), ())
    (message,) = delivery.messages()
    assert (message["To"], message["Subject"]) == (ADA, "Signals")
    lines = message.get_content().splitlines()
    assert lines == ["Hello.", ".", "..and more"]


def test_a_mail_without_a_last_line_end_arrives(delivery: Delivery) -> None:
    delivery.mailer.send(parcel(b"Hello"))
    (message,) = delivery.messages()
    assert message.get_content().strip() == "Hello"


def test_a_mail_comes_again_unless_the_mailer_tells_repetitions(delivery: Delivery) -> None:
    for _ in range(2):
        assert delivery.mailer.send(parcel()).accepted == (ADA, BOB)
    delivery.mailer.send(parcel(name="two"))

    expected = 2 if delivery.mailer.is_idempotent else 3
    assert len(delivery.messages()) == expected


def test_a_mailer_that_works_passes_its_check_and_sends_nothing(delivery: Delivery) -> None:
    delivery.mailer.check()
    assert not delivery.messages()


def test_a_place_that_does_not_work_is_found_out_before_anything_was_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with mail_server() as server:
        gone = mailer_for(server, port=free_port())
        for mailer in (LocalMailer(tmp_path / "file", SENDER), gone):
            with pytest.raises(ProviderDeferred):
                mailer.check()
            with pytest.raises(ProviderDeferred):
                mailer.send(parcel())
