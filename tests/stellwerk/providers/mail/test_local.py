"""Mails kept in a folder, read back with Python's own `mailbox`."""

import mailbox
import stat
from pathlib import Path
from threading import Thread

import pytest

from mail_server import SENDER
from stellwerk.providers.mail.local import ENVELOPE, LocalMailer
from stellwerk.providers.mail.protocol import Parcel

CONTENT = b"From: a@example.com\r\nSubject: Signals\r\n\r\nHello.\r\n"
PARCEL = Parcel("<one@example.com>", ("ada@example.com", "bob@example.com"), CONTENT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "mail"


def test_mail_readers_find_it_as_a_new_one(folder: Path) -> None:
    LocalMailer(folder, SENDER).send(PARCEL)

    (message,) = mailbox.Maildir(folder, create=False)
    assert message.get_subdir() == "new"
    assert message["Subject"] == "Signals"
    assert message[ENVELOPE] == "ada@example.com, bob@example.com"
    assert message.get_payload() == "Hello.\n"


def test_a_mail_that_was_read_does_not_come_again(folder: Path) -> None:
    mailer = LocalMailer(folder, SENDER)
    mailer.send(PARCEL)
    reader = mailbox.Maildir(folder, create=False)
    ((key, message),) = reader.items()
    message.set_subdir("cur")
    message.add_flag("S")
    reader[key] = message

    mailer.send(PARCEL)

    assert not list((folder / "new").iterdir())
    assert len(mailbox.Maildir(folder, create=False)) == 1


def test_many_that_send_the_same_mail_at_once_leave_one(folder: Path) -> None:
    mailer = LocalMailer(folder, SENDER)
    threads = [Thread(target=mailer.send, args=(PARCEL,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(list((folder / "new").iterdir())) == 1
    assert not list((folder / "tmp").iterdir())


def test_nobody_else_may_look_into_the_mails(folder: Path) -> None:
    LocalMailer(folder, SENDER).send(PARCEL)

    (file,) = (folder / "new").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, file.parent)} == {0o700}
