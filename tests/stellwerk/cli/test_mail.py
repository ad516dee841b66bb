"""Reading the kept mails with the command line."""

from pathlib import Path

from command_line import CommandLine
from mail_server import SENDER
from stellwerk.providers.mail.local import LocalMailer
from stellwerk.providers.mail.protocol import Parcel


def keep(home: Path, name: str, subject: str) -> None:
    content = (
        f"From: {SENDER.address}\r\nTo: ada@example.com\r\nSubject: {subject}\r\n"
        f"Message-ID: <{name}@example.com>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        f"Grüße von {name}.\r\n"
    )
    parcel = Parcel(f"<{name}@example.com>", ("ada@example.com", "eve@x.example"), content.encode())
    LocalMailer(home / "mail", SENDER).send(parcel)


def test_kept_mails_are_listed_and_shown(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command_line = CommandLine({"STELLWERK_HOME": str(home)}, tmp_path)
    assert command_line.json("mail", "list") == []
    assert command_line.run("mail", "show").code == 1
    keep(home, "one", "First")
    keep(home, "two", "Second")

    second, first = command_line.json("mail", "list")

    assert (first["subject"], second["subject"]) == ("First", "Second")
    assert first["to"] == "ada@example.com, eve@x.example"
    shown = command_line.done("mail", "show", first["key"])
    assert "subject: First" in shown
    assert "Grüße von one." in shown
    assert command_line.json("mail", "show")["text"].strip() == "Grüße von two."
    assert command_line.run_anew("mail", "show", "nothing").code == 1


def test_a_mail_that_was_read_is_listed_still(tmp_path: Path) -> None:
    home = tmp_path / "home"
    keep(home, "one", "First")
    (file,) = (home / "mail" / "new").iterdir()
    file.rename(home / "mail" / "cur" / f"{file.name}:2,S")

    (listed,) = CommandLine({"STELLWERK_HOME": str(home)}, tmp_path).json("mail", "list")

    assert listed["key"] == file.name[:8]
