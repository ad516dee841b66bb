"""TLS on the public port, with certificates of a throw-away authority."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from stack_runs import EDGE, StackRun, discard, stack
from stellwerk.choices import Tls
from stellwerk.errors import ConfigurationError
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.production import refuse_unfit
from stellwerk.stack.transport import PAIRS, transport_of

PUBLIC = "https://stellwerk.example.com"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def issue(authority: trustme.CA, folder: Path, names: tuple[str, str] = PAIRS[0]) -> None:
    """Put a certificate for this machine into the folder."""
    folder.mkdir()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    (folder / names[0]).write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    (folder / names[1]).write_bytes(issued.private_key_pem.bytes())


def told(folder: Path, **overrides: object) -> Settings:
    return load_settings(**{"certificate_dir": folder, **overrides})


def test_without_certificates_development_speaks_plain_http(tmp_path: Path) -> None:
    for url in ("", PUBLIC):
        found = transport_of(told(tmp_path, public_url=url))
        assert (found.kind, found.port, found.site(8000)) == (Tls.OFF, 8000, "http://:8000")


@pytest.mark.parametrize("names", PAIRS)
def test_certificates_that_are_found_are_used(
    authority: trustme.CA, tmp_path: Path, names: tuple[str, str]
) -> None:
    issue(authority, tmp_path / "certificates", names)
    found = transport_of(told(tmp_path / "certificates"))
    assert (found.kind, found.port, found.site(8443)) == (Tls.FILES, 8443, "https://:8443")
    assert found.certificate == tmp_path / "certificates" / names[0]
    assert transport_of(told(tmp_path / "certificates", tls="off")).kind is Tls.OFF


def test_production_obtains_one_for_its_public_url(tmp_path: Path) -> None:
    production = {"mode": "production", "public_url": PUBLIC}
    found = transport_of(told(tmp_path, **production))
    assert (found.kind, found.port) == (Tls.ACME, 443)
    assert found.site(443) == "https://stellwerk.example.com:443"
    assert transport_of(told(tmp_path, **production, behind_proxy=True)).kind is Tls.OFF


@pytest.mark.parametrize("url", ["", "http://a.example.com", "https://192.0.2.1", "https://host"])
def test_nobody_certifies_what_is_no_domain(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="STELLWERK_TLS=acme needs PUBLIC_URL"):
        transport_of(told(tmp_path, tls="acme", public_url=url))


def test_certificates_that_are_asked_for_have_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"fullchain\.pem with privkey\.pem"):
        transport_of(told(tmp_path, tls="files"))


def test_a_key_of_another_certificate_is_told(authority: trustme.CA, tmp_path: Path) -> None:
    issue(authority, tmp_path / "one")
    issue(authority, tmp_path / "two")
    (tmp_path / "two" / "privkey.pem").rename(tmp_path / "one" / "privkey.pem")
    with pytest.raises(ConfigurationError, match="cannot be used for TLS: KEY_VALUES_MISMATCH"):
        transport_of(told(tmp_path / "one"))


def test_an_expired_certificate_is_told(authority: trustme.CA, tmp_path: Path) -> None:
    issued = authority.issue_cert("localhost", not_after=datetime(2020, 1, 2, tzinfo=UTC))
    (tmp_path / "fullchain.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    (tmp_path / "privkey.pem").write_bytes(issued.private_key_pem.bytes())
    with pytest.raises(ConfigurationError, match="expired on 2020-01-02"):
        transport_of(told(tmp_path))


def test_production_is_content_with_certificates(authority: trustme.CA, tmp_path: Path) -> None:
    issue(authority, tmp_path / "certificates")
    refuse_unfit(told(tmp_path / "certificates", mode="production", allow_local_providers=True))


@pytest.fixture(params=["1.3", "1.2"])
def oldest(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(authority: trustme.CA, tmp_path: Path, oldest: str) -> Iterator[StackRun]:
    issue(authority, tmp_path / "certificates")
    procfile = tmp_path / "Procfile"
    procfile.write_text(EDGE)
    home = tmp_path / "home"
    extra = {"STELLWERK_TLS_OLDEST": oldest, "STELLWERK_TLS_PORT": "0"}
    with stack(home, procfile, extra=extra) as running:
        yield running
    discard(home)


def test_a_stack_with_certificates_speaks_tls_alone(
    run: StackRun, authority: trustme.CA, oldest: str
) -> None:
    place = urlsplit(run.document()["urls"]["api"])
    assert (place.scheme, place.hostname) == ("https", "127.0.0.1")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with closing(HTTPSConnection("127.0.0.1", place.port or 0, context=context)) as connection:
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert connection.sock.version() == "TLSv1.3"
    with closing(HTTPConnection("127.0.0.1", place.port or 0)) as plain:
        plain.request("GET", "/")
        assert plain.getresponse().status == 400
    assert speaks(place.port or 0, ssl.TLSVersion.TLSv1_2) == (oldest == "1.2")


def speaks(port: int, version: ssl.TLSVersion) -> bool:
    """Whether a client that speaks nothing newer gets a connection."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    try:
        with socket.create_connection(("127.0.0.1", port)) as bare:
            context.wrap_socket(bare).close()
    except ssl.SSLError:
        return False
    return True
