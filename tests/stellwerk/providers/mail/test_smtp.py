"""What a mail server's manners mean: later, never, or nobody knows."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, syntax

from mail_server import DROP, OK, MailServer, cut, mail_server, mailer_for
from stellwerk.choices import SmtpSecurity
from stellwerk.errors import ProviderDeferred, ProviderRejected, ProviderUnavailable
from stellwerk.providers.mail.protocol import Parcel
from stellwerk.stack.ports import free_port

# aiosmtpd does not see that a connection is encrypted from its first byte on.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

ADA, BOB, EVE = "ada@example.com", "bob@example.org", "eve@example.net"
CONTENT = b"Subject: Signals\r\n\r\nHello.\r\n"
NO, LATER = "550 5.1.1 No such user", "450 4.2.0 Greylisted"
PARCEL = Parcel("<one@example.com>", (ADA, BOB, EVE), CONTENT)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """What the server shows: a certificate for `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trust(authority: trustme.CA, tmp_path: Path) -> ssl.SSLContext:
    """What we trust."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"answers": ["451 4.7.1 Come back later"]}, ProviderDeferred),
        ({"answers": ["554 5.7.1 Spam"]}, ProviderRejected),
        ({"sender": "450 4.1.8 Not now"}, ProviderDeferred),
        ({"sender": "550 5.7.1 Not you"}, ProviderRejected),
        ({"sender": "421 4.3.2 Shutting down"}, ProviderDeferred),
        ({"recipient": lambda _: LATER}, ProviderDeferred),
        ({"recipient": lambda _: NO}, ProviderRejected),
        ({"recipient": lambda who: NO if who == ADA else LATER}, ProviderDeferred),
        ({"sender": DROP}, ProviderDeferred),
        ({"recipient": lambda _: DROP}, ProviderDeferred),
    ],
)
def test_four_means_later_and_five_means_never(answers: Any, kind: type[Exception]) -> None:
    with mail_server(**answers) as server, pytest.raises(kind) as caught:
        mailer_for(server).send(PARCEL)
    assert caught.type is kind
    assert not server.inbox


def test_a_recipient_who_is_refused_does_not_keep_the_others_from_getting_it() -> None:
    said = {BOB: f"550 5.1.1 <{BOB}> is unknown here", EVE: "452 4.2.2 Mailbox full"}
    with mail_server(recipient=lambda who: said.get(who, OK)) as server:
        handed_over = mailer_for(server).send(PARCEL)

    assert server.inbox[0].recipients == handed_over.accepted == (ADA,)
    refused = [(one.address, one.reason, one.is_final) for one in handed_over.refused]
    assert refused == [
        (BOB, "550 5.1.1 <•••> is unknown here", True),
        (EVE, "452 4.2.2 Mailbox full", False),
    ]


def test_a_refusal_is_told_without_the_addresses_in_it() -> None:
    told = f"550 5.1.1 <{ADA}>: ask {BOB.upper()}"
    with (
        mail_server(recipient=lambda _: told) as server,
        pytest.raises(ProviderRejected, match=r"550 5\.1\.1") as caught,
    ):
        mailer_for(server).send(PARCEL)
    assert "@" not in caught.value.message


def test_a_connection_lost_while_the_server_takes_the_mail_leaves_a_doubt() -> None:
    with mail_server([DROP]) as server, pytest.raises(ProviderUnavailable) as caught:
        mailer_for(server).send(PARCEL)
    assert caught.type is ProviderUnavailable
    assert len(server.inbox) == 1, "it was taken, only its answer was lost"


class HalfWay(SMTP):
    """Ends the connection in the middle of a message."""

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  aiosmtpd's name
        del arg
        await self.push("354 go on")
        await self._reader.readline()
        cut(self)


def test_a_connection_lost_in_the_middle_of_the_mail_leaves_none() -> None:
    large = Parcel("<one@example.com>", (ADA,), CONTENT + b"so long a line\r\n" * 2_000_000)
    with mail_server(kind=HalfWay) as server, pytest.raises(ProviderDeferred):
        mailer_for(server).send(large)
    assert not server.inbox


class Sluggish(SMTP):
    """Takes the message, and says nothing for a while."""

    took = False

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  aiosmtpd's name
        del arg
        type(self).took = True
        await self.push("354 go on")
        await asyncio.sleep(3600)


def test_a_server_that_never_answers_is_left_at_the_deadline_with_a_doubt() -> None:
    for timeout_s in (1.0, 20.0):  # the first may be over before a busy machine came so far
        Sluggish.took = False
        began = time.monotonic()
        with mail_server(kind=Sluggish) as server, pytest.raises(ProviderUnavailable) as caught:
            mailer_for(server, timeout_s=timeout_s).send(PARCEL)
        assert time.monotonic() - began < 60
        if Sluggish.took:
            break
    assert caught.type is ProviderUnavailable


class Plain(SMTP):
    """Offers nothing but to take mails."""

    @syntax("EHLO hostname")
    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802  aiosmtpd's name
        assert self.session
        self.session.host_name = hostname
        await self.push("250 plain.example")


@pytest.mark.parametrize("name", ["ada@müller.example", "jürgen@example.com"])
def test_addresses_beyond_ascii_need_a_server_that_takes_them(name: str) -> None:
    parcel = Parcel("<one@example.com>", (name,), CONTENT)
    with mail_server() as server:
        assert mailer_for(server).send(parcel).accepted == (name,)
        assert server.inbox[0].recipients == (name,)
    with mail_server(kind=Plain) as server, pytest.raises(ProviderRejected, match="ASCII"):
        mailer_for(server).send(parcel)


def test_a_mail_that_is_too_large_for_the_server_is_refused_before_it_is_sent() -> None:
    class Small(SMTP):
        def __init__(self, handler: Any, **options: Any) -> None:
            super().__init__(handler, data_size_limit=1000, **options)

    large = Parcel("<one@example.com>", (ADA,), CONTENT + b"x" * 1000)
    with mail_server(kind=Small) as server, pytest.raises(ProviderRejected, match="552"):
        mailer_for(server).send(large)
    assert server.asked == 0


@pytest.fixture(params=[SmtpSecurity.STARTTLS, SmtpSecurity.TLS])
def encrypting(request: pytest.FixtureRequest, tls: ssl.SSLContext) -> Iterator[tuple[Any, Any]]:
    """A server with a login of its own, and how to speak to it."""
    implicit = request.param is SmtpSecurity.TLS
    with mail_server(tls=tls, implicit_tls=implicit, login=("ann", "a secret")) as server:
        yield server, {"host": "localhost", "security": request.param, "username": "ann"}


def test_whoever_shows_a_good_certificate_is_given_password_and_mail(
    encrypting: tuple[MailServer, Any], trust: ssl.SSLContext
) -> None:
    server, speaking = encrypting
    mailer_for(server, tls=trust, password="a secret", **speaking).send(PARCEL)
    (received,) = server.inbox
    assert (received.was_encrypted, received.signed_in_as) == (True, "ann")


def test_a_wrong_password_is_told_without_it_and_without_blaming_the_mail(
    encrypting: tuple[MailServer, Any], trust: ssl.SSLContext
) -> None:
    server, speaking = encrypting
    mailer = mailer_for(server, tls=trust, password="another secret", **speaking)
    with pytest.raises(ProviderDeferred, match="SMTP_PASSWORD: 535") as caught:
        mailer.send(PARCEL)
    assert "another secret" not in f"{mailer!r} {mailer.server!r} {caught.value!r}"
    assert not server.inbox


@pytest.mark.parametrize("wrong", [{"host": "127.0.0.1"}, {"tls": ssl.create_default_context()}])
def test_a_certificate_of_another_name_or_of_nobodys_gets_nothing(
    encrypting: tuple[MailServer, Any], trust: ssl.SSLContext, wrong: dict[str, Any]
) -> None:
    server, speaking = encrypting
    spoken = {"tls": trust, "password": "a secret", **speaking, **wrong}
    with pytest.raises(ProviderDeferred, match="CERTIFICATE_VERIFY_FAILED"):
        mailer_for(server, **spoken).send(PARCEL)
    assert not server.inbox


def test_a_server_that_offers_no_starttls_gets_nothing() -> None:
    with mail_server() as server, pytest.raises(ProviderDeferred, match="offers no STARTTLS"):
        mailer_for(server, security=SmtpSecurity.STARTTLS).send(PARCEL)
    assert not server.inbox


def test_nobody_signs_in_where_nobody_can() -> None:
    with mail_server() as server, pytest.raises(ProviderDeferred, match="sign in"):
        mailer_for(server, username="ann", password="a secret").send(PARCEL)


def test_where_nobody_listens_it_may_be_tried_again() -> None:
    with mail_server() as server, pytest.raises(ProviderDeferred, match="does not answer"):
        mailer_for(server, port=free_port()).send(PARCEL)
