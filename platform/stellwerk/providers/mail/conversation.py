"""What is said to a mail server, and how sure one may be of what it did.

Until the line that ends a message has been sent, a server that vanishes has certainly not taken
it (RFC 5321, 4.1.1.4 and 6.1). From then to its answer nobody can tell.
"""

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from stellwerk.choices import SmtpSecurity
from stellwerk.errors import ProviderDeferred, ProviderUnavailable
from stellwerk.providers.mail.protocol import masked

CONNECT_S = 10.0  # for each address of the server's name
WORDS_AT_MOST = 200  # characters of an answer that are kept
TEMPORARY, FINAL = range(400, 500), range(500, 600)
READY, GO_AHEAD = 220, 354

_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mails are handed over, and as whom."""

    host: str
    port: int
    security: SmtpSecurity
    timeout_s: float  # for one mail, from connecting to the last answer
    tls: ssl.SSLContext = field(repr=False)
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's code and words."""

    code: int
    text: str

    @property
    def is_done(self) -> bool:
        """2xx."""
        return self.code in range(200, 300)

    @property
    def is_refusal(self) -> bool:
        """4xx or 5xx."""
        return self.code in TEMPORARY or self.is_final

    @property
    def is_final(self) -> bool:
        """5xx; whatever else is not done may be later."""
        return self.code in FINAL

    def masked(self, addresses: Sequence[str]) -> str:
        """For people: without addresses, and not longer than need be."""
        return f"{self.code} {masked(self.text, addresses)[:WORDS_AT_MOST]}".rstrip(" .")


class Conversation:
    """One connection. Whatever goes wrong before a mail was handed over is ProviderDeferred."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._deadline = time.monotonic() + server.timeout_s
        self._smtp = smtplib.SMTP(local_hostname=_own_name())

    def begin(self) -> None:
        """Connect, encrypt as the settings say and never less, sign in."""
        with self._certainly_undone():
            self._connect()
            self._greet()
            if self._server.security is SmtpSecurity.STARTTLS:
                self._encrypt()
            if self._server.username:
                self._sign_in()

    def offers(self, extension: str) -> bool:
        """Whether the server said so in its greeting."""
        return bool(self._smtp.has_extn(extension))

    def sender(self, address: str, size_bytes: int, *, is_international: bool) -> Answer:
        """MAIL FROM."""
        options = [f"SIZE={size_bytes}"] if self.offers("size") else []
        if is_international:
            options += ["SMTPUTF8", "BODY=8BITMIME"]
            self._smtp.command_encoding = "utf-8"
        return self._ask(f"MAIL FROM:<{address}> {' '.join(options)}".rstrip())

    def recipient(self, address: str) -> Answer:
        """RCPT TO."""
        return self._ask(f"RCPT TO:<{address}>")

    def transmit(self, content: bytes) -> Answer:
        """DATA, and what the server says to all of it.

        Raises ProviderUnavailable where it says nothing: it may have taken the mail or not.
        """
        answer = self._ask("DATA")
        if answer.code != GO_AHEAD:
            return answer if not answer.is_done else Answer(TEMPORARY[0], answer.text)
        with self._certainly_undone():
            self._hurry().sendall(_quoted(content))
            connection = self._hurry()
        try:
            connection.sendall(b".\r\n")
            answer = self._answer(*self._smtp.getreply())
        except (OSError, smtplib.SMTPException) as exc:
            message = "The connection to the mail server was lost while it took the mail."
            raise ProviderUnavailable(message) from exc
        if not (answer.is_done or answer.is_refusal):
            raise ProviderUnavailable("The mail server's answer to the mail is none.")
        return answer

    def end(self) -> None:
        """QUIT, if that is still possible; nothing depends on it."""
        with suppress(OSError, smtplib.SMTPException, ProviderDeferred):
            if self._smtp.sock:
                self._hurry()
                self._smtp.putcmd("QUIT")
        self._smtp.close()

    def _connect(self) -> None:
        server = self._server
        connection = socket.create_connection((server.host, server.port), CONNECT_S)
        self._smtp.sock = connection
        self._hurry()
        if server.security is SmtpSecurity.TLS:
            self._wrap()
        answer = self._answer(*self._smtp.getreply())
        if answer.code != READY:
            raise _unfit("does not take connections", answer)

    def _greet(self) -> None:
        answer = self._answer(*self._smtp.ehlo())
        if not answer.is_done:
            raise _unfit("does not speak ESMTP", answer)

    def _encrypt(self) -> None:
        """A server that does not offer it gets nothing: somebody may have removed the offer."""
        if not self.offers("starttls"):
            raise ProviderDeferred("The mail server offers no STARTTLS.")
        answer = self._ask("STARTTLS")
        if answer.code != READY:
            raise _unfit("refuses STARTTLS", answer)
        self._wrap()
        self._smtp.file = None  # what came before in clear text is not to be believed
        self._smtp.ehlo_resp = None
        self._smtp.esmtp_features = {}
        self._greet()

    def _wrap(self) -> None:
        connection = self._hurry()
        self._smtp.sock = self._server.tls.wrap_socket(
            connection, server_hostname=self._server.host
        )

    def _sign_in(self) -> None:
        """Refusals are not told in the server's words, and not final: no mail is to blame."""
        try:
            self._smtp.login(self._server.username, self._server.password)
        except smtplib.SMTPNotSupportedError:
            raise ProviderDeferred("The mail server does not let anybody sign in.") from None
        except smtplib.SMTPResponseException as exc:
            message = f"The mail server refuses SMTP_USERNAME or SMTP_PASSWORD: {exc.smtp_code}."
            raise ProviderDeferred(message) from None

    def _ask(self, command: str) -> Answer:
        with self._certainly_undone():
            self._hurry()
            self._smtp.putcmd(command)
            return self._answer(*self._smtp.getreply())

    def _hurry(self) -> socket.socket:
        """The connection, which waits no longer than to the deadline; raises where that passed."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0 or self._smtp.sock is None:
            raise ProviderDeferred("The mail server was too slow.")
        self._smtp.sock.settimeout(left_s)
        return self._smtp.sock

    def _answer(self, code: int, text: bytes) -> Answer:
        return Answer(code, text.decode("utf-8", "replace"))

    @contextmanager
    def _certainly_undone(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLError as exc:
            reason = exc.reason or "no TLS"
            message = f"The TLS connection to the mail server failed ({reason})."
            raise ProviderDeferred(message) from exc
        except (OSError, smtplib.SMTPException) as exc:
            message = f"The mail server does not answer ({type(exc).__name__})."
            raise ProviderDeferred(message) from exc


def _unfit(what: str, answer: Answer) -> ProviderDeferred:
    return ProviderDeferred(f"The mail server {what}: {answer.masked(())}.")


def _quoted(content: bytes) -> bytes:
    """With another dot before each line that begins with one (RFC 5321, 4.5.2)."""
    stuffed = _LEADING_DOT.sub(b"..", content)
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"


def _own_name() -> str:
    """What EHLO says of us; looking our own address up may take seconds."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
