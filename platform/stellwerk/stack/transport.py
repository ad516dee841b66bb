"""How the public port is encrypted: by certificates found on disk, obtained by Caddy, or not."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from stellwerk.choices import Mode, Tls
from stellwerk.errors import ConfigurationError
from stellwerk.settings import Settings

HTTPS_PORT = 443
PAIRS = (
    ("fullchain.pem", "privkey.pem"),
    ("tls.crt", "tls.key"),
    ("server.crt", "server.key"),
    ("cert.pem", "key.pem"),
)


@dataclass(frozen=True, slots=True)
class Transport:
    """`kind` is never AUTO; `port` is the one to listen on; the paths are those of FILES."""

    kind: Tls
    port: int
    domain: str = ""  # of ACME
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """What the edge speaks: http or https."""
        return "http" if self.kind is Tls.OFF else "https"

    def site(self, port: int) -> str:
        """The address of Caddy's site; `port` is where it is opened in fact."""
        return f"{self.scheme}://{self.domain}:{port}"


def transport_of(settings: Settings) -> Transport:
    """What the settings and the certificate folder come to.

    Raises ConfigurationError for certificates that cannot be used, and where what is asked for
    is not there.
    """
    kind = _kind(settings)
    if kind is Tls.FILES:
        certificate, key = _required_pair(settings)
        _refuse_unusable(certificate, key)
        return Transport(kind, settings.tls_port, certificate=certificate, key=key)
    if kind is Tls.ACME:
        parts = urlsplit(settings.public_url)
        domain = parts.hostname or ""
        if parts.scheme != "https" or "." not in domain or _is_address(domain):
            message = "STELLWERK_TLS=acme needs PUBLIC_URL=https://... with the domain to certify."
            raise ConfigurationError(message)
        return Transport(kind, parts.port or HTTPS_PORT, domain)
    return Transport(kind, settings.port)


def _kind(settings: Settings) -> Tls:
    if settings.tls is not Tls.AUTO:
        return settings.tls
    if _pair(settings):
        return Tls.FILES
    is_public = settings.public_url.lower().startswith("https://") and not settings.behind_proxy
    return Tls.ACME if is_public and settings.mode is Mode.PRODUCTION else Tls.OFF


def _pair(settings: Settings) -> tuple[Path, Path] | None:
    folder = settings.certificate_dir.absolute()
    for certificate, key in PAIRS:
        if (folder / certificate).is_file() and (folder / key).is_file():
            return folder / certificate, folder / key
    return None


def _required_pair(settings: Settings) -> tuple[Path, Path]:
    found = _pair(settings)
    if found is None:
        pairs = " or ".join(f"{certificate} with {key}" for certificate, key in PAIRS)
        folder = settings.certificate_dir.absolute()
        raise ConfigurationError(f"STELLWERK_TLS=files finds no certificate in {folder}: {pairs}.")
    return found


def _refuse_unusable(certificate: Path, key: Path) -> None:
    from cryptography import x509  # noqa: PLC0415  only where there is a certificate

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        found = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", None) or exc
        message = f"{certificate} and {key} cannot be used for TLS: {reason}."
        raise ConfigurationError(message) from exc
    if found.not_valid_after_utc < datetime.now(UTC):
        ended = found.not_valid_after_utc.date()
        raise ConfigurationError(f"The certificate {certificate} expired on {ended}; renew it.")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
