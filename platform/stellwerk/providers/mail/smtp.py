"""Mails handed over to a mail server by SMTP submission (RFC 5321, RFC 6409)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from stellwerk.errors import ProviderDeferred, ProviderError, ProviderRejected
from stellwerk.mailboxes import Mailbox
from stellwerk.providers.mail.conversation import Answer, Conversation, SmtpServer
from stellwerk.providers.mail.protocol import Handover, Parcel, Refusal


@dataclass(frozen=True, slots=True)
class SmtpMailer:
    """One connection for each mail, which is over at the deadline."""

    server: SmtpServer
    sender: Mailbox

    @property
    def is_idempotent(self) -> bool:
        """Mail servers take a Message-ID as often as it comes."""
        return False

    @property
    def timeout_s(self) -> float:
        """How long `send` takes at most."""
        return self.server.timeout_s

    def send(self, parcel: Parcel) -> Handover:
        """Recipients whom the server does not take do not keep the others from getting it."""
        with self._conversation() as server:
            self._open(server, parcel)
            refused = _refused(server, parcel.recipients)
            names = {one.address for one in refused}
            accepted = tuple(one for one in parcel.recipients if one not in names)
            if not accepted:
                raise _nobody(refused)
            answer = server.transmit(parcel.content)
        if not answer.is_done:
            raise _failure("the mail", answer, parcel.recipients)
        return Handover(accepted, refused)

    def check(self) -> None:
        """Connect, encrypt and sign in."""
        with self._conversation():
            pass

    @contextmanager
    def _conversation(self) -> Iterator[Conversation]:
        """Ended politely where that is still possible; what a mail came to stands by then."""
        server = Conversation(self.server)
        try:
            server.begin()
            yield server
        finally:
            server.end()

    def _open(self, server: Conversation, parcel: Parcel) -> None:
        addresses = (self.sender.address, *parcel.recipients)
        is_international = not all(address.isascii() for address in addresses)
        if is_international and not server.offers("smtputf8"):
            raise ProviderRejected("The mail server takes no addresses with other than ASCII.")
        answer = server.sender(
            self.sender.address, len(parcel.content), is_international=is_international
        )
        if not answer.is_done:
            raise _failure("the sender", answer, parcel.recipients)


def _refused(server: Conversation, recipients: Sequence[str]) -> tuple[Refusal, ...]:
    answers = {address: server.recipient(address) for address in recipients}
    return tuple(
        Refusal(address, answer.masked(recipients), answer.is_final)
        for address, answer in answers.items()
        if not answer.is_done
    )


def _nobody(refused: Sequence[Refusal]) -> ProviderError:
    """Nobody is left to send it to: later, if the server may take one of them then."""
    kind = ProviderRejected if all(one.is_final for one in refused) else ProviderDeferred
    reasons = "; ".join(dict.fromkeys(one.reason for one in refused))
    return kind(f"The mail server refuses every recipient: {reasons}.")


def _failure(what: str, answer: Answer, recipients: Sequence[str]) -> ProviderError:
    """4xx may work later, 5xx never (RFC 5321, 4.2.1)."""
    kind = ProviderRejected if answer.is_final else ProviderDeferred
    return kind(f"The mail server refuses {what}: {answer.masked(recipients)}.")
