"""A mail server of somebody else's, on a real socket: answers as told, and keeps what it got."""

import ssl
from asyncio import Transport
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from embedded import wait_until
from stellwerk.choices import SmtpSecurity
from stellwerk.mailboxes import Mailbox
from stellwerk.providers.mail.conversation import SmtpServer
from stellwerk.providers.mail.smtp import SmtpMailer
from stellwerk.stack.ports import free_port

OK = "250 OK"
DROP = "drop"  # in place of an answer: the connection ends
SENDER = Mailbox("no-reply@example.com", "Stellwerk")


@dataclass(frozen=True, slots=True)
class Received:
    """One mail that was taken, and how it came."""

    recipients: tuple[str, ...]
    message: EmailMessage
    raw: bytes
    was_encrypted: bool
    signed_in_as: str | None


@dataclass(slots=True)
class MailServer:
    """`answers` are given to the ends of messages in turn, the last of them from then on."""

    port: int
    answers: list[str]
    recipient: Callable[[str], str] = lambda _: OK
    sender: str = OK
    login: tuple[str, str] | None = None
    inbox: list[Received] = field(default_factory=list)
    asked: int = 0

    def next_answer(self) -> str:
        """What is said to the message that came last."""
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]

    async def handle_MAIL(  # noqa: N802  aiosmtpd's name and arguments
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _: list[str]
    ) -> str:
        envelope.mail_from = address
        return _or_drop(server, self.sender)

    async def handle_RCPT(  # noqa: N802  the same
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _: list[str]
    ) -> str:
        answer = _or_drop(server, self.recipient(address))
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802  the same
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        answer = self.next_answer()
        if answer in {OK, DROP}:
            self.inbox.append(_received(server, session, envelope))
        return _or_drop(server, answer)

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        """Whether these are the credentials."""
        assert isinstance(data, LoginPassword)
        right = self.login == (data.login.decode(), data.password.decode())
        return AuthResult(success=right, auth_data=data.login.decode(), handled=False)


@contextmanager
def mail_server(
    answers: Sequence[str] = (OK,), *, kind: type[SMTP] = SMTP, **options: Any
) -> Iterator[MailServer]:
    """A server on a free port of 127.0.0.1, until the block ends.

    `tls`: an SSLContext, offered by STARTTLS; with `implicit_tls` from the first byte on.
    """
    tls: ssl.SSLContext | None = options.pop("tls", None)
    implicit = options.pop("implicit_tls", False)
    server = MailServer(free_port(), list(answers), **options)

    talks: list[SMTP] = []

    class OurController(Controller):
        def factory(self) -> SMTP:
            talks.append(kind(self.handler, **self.SMTP_kwargs))
            return talks[-1]

    controller = OurController(
        server,
        hostname="127.0.0.1",
        port=server.port,
        ssl_context=tls if implicit else None,
        tls_context=None if implicit else tls,
        authenticator=server.authenticate,
        auth_required=server.login is not None,
        auth_require_tls=not implicit,
        enable_SMTPUTF8=True,
        ready_timeout=60,
    )
    controller.start()
    try:
        yield server
    finally:
        # A connection that is still closing would outlive its event loop.
        wait_until(lambda: all(talk.transport is None for talk in talks))
        controller.stop()


def mailer_for(server: MailServer, **changes: Any) -> SmtpMailer:
    """A mailer that hands its mails to this server."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": server.port,
        "security": SmtpSecurity.NONE,
        "timeout_s": 30.0,
        "tls": ssl.create_default_context(),
        **changes,
    }
    return SmtpMailer(SmtpServer(**values), SENDER)


def _received(server: SMTP, session: Session, envelope: Envelope) -> Received:
    raw = bytes(envelope.original_content or b"")
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert server.transport
    is_encrypted = server.transport.get_extra_info("ssl_object") is not None
    who = session.auth_data if session.authenticated else None
    return Received(tuple(envelope.rcpt_tos), message, raw, is_encrypted, who)


def _or_drop(server: SMTP, answer: str) -> str:
    if answer == DROP:
        cut(server)
    return answer


def cut(server: SMTP) -> None:
    """End the connection without a word."""
    assert isinstance(server.transport, Transport)
    server.transport.abort()
