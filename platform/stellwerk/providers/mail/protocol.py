"""A mail on its way out, and what can be said of its sending."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stellwerk.mailboxes import Mailbox


@dataclass(frozen=True, slots=True)
class Parcel:
    """A mail as it travels: `recipients` also holds those whom no header names.

    `content` is the message by RFC 5322, with CRLF. It is not shown: it may hold a secret link.
    """

    message_id: str  # in angle brackets
    recipients: tuple[str, ...] = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recipient whom the server does not take, and its reason; addresses in that are masked."""

    address: str
    reason: str
    is_final: bool  # else it may take them later


@dataclass(frozen=True, slots=True)
class Handover:
    """What became of a mail's recipients, and where the mail stayed if it was not sent on."""

    accepted: tuple[str, ...]
    refused: tuple[Refusal, ...] = ()
    kept: str = ""


class Mailer(Protocol):
    """Hands mails over to whoever delivers them."""

    @property
    def sender(self) -> Mailbox:
        """Whom the platform's mails come from."""

    @property
    def is_idempotent(self) -> bool:
        """Whether a mail that comes again, by its Message-ID, is taken only once."""

    @property
    def timeout_s(self) -> float:
        """How long `send` takes at most."""

    def send(self, parcel: Parcel) -> Handover:
        """Hand a mail over; where it returns, at least one recipient was accepted.

        Raises ProviderRejected where all were refused for good or the mail was, ProviderDeferred
        where it was certainly not taken and may be later, and ProviderUnavailable where nobody
        can tell whether it was taken.
        """

    def check(self) -> None:
        """Do everything but send a mail; raises ProviderError."""


def masked(text: str, recipients: Sequence[str]) -> str:
    """A server's words without the addresses in them."""
    for address in recipients:
        text = text.replace(address, "•••")
    return " ".join("•••" if "@" in word else word for word in text.split())
