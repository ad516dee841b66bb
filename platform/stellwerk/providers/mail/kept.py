"""Reads the mails that the local mailer kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from stellwerk.errors import NotFound
from stellwerk.providers.mail.local import ENVELOPE


@dataclass(frozen=True, slots=True)
class KeptMail:
    """One mail; the letters of its `key` need only be as many as tell it from others."""

    key: str
    kept_at: datetime
    message: EmailMessage

    def summary(self) -> dict[str, Any]:
        """A line of the list."""
        return {
            "key": self.key[:8],
            "at": self.kept_at.isoformat(timespec="seconds"),
            "to": str(self.message[ENVELOPE]),
            "subject": str(self.message["Subject"]),
        }

    def whole(self) -> dict[str, Any]:
        """All of it that is meant to be read."""
        plain, html = (self.message.get_body((kind,)) for kind in ("plain", "html"))
        return {
            **self.summary(),
            "from": str(self.message["From"]),
            "message_id": str(self.message["Message-ID"]),
            "text": plain.get_content() if plain else "",
            "html": html.get_content() if html else None,
        }


def kept_mails(folder: Path) -> list[KeptMail]:
    """Every mail of a Maildir, newest first; none where there is no such folder."""
    return sorted(_read(folder), key=lambda mail: mail.kept_at, reverse=True)


def kept_mail(folder: Path, key: str) -> KeptMail:
    """The newest mail whose key starts so; raises NotFound."""
    for mail in kept_mails(folder):
        if mail.key.startswith(key):
            return mail
    raise NotFound(f"There is no such mail in {folder}.")


def _read(folder: Path) -> Iterator[KeptMail]:
    for path in (*folder.glob("new/*"), *folder.glob("cur/*")):
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        if isinstance(message, EmailMessage):
            kept_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            yield KeptMail(path.name.partition(":")[0], kept_at, message)
