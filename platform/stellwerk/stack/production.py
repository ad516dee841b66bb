"""What an installation in production mode may not be, found before anything starts."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from stellwerk.choices import (
    ArtifactStore,
    ImageProvider,
    MailProvider,
    Mode,
    ModuleRuntime,
    ScriptProvider,
    SmtpSecurity,
    Tls,
    VoiceProvider,
)
from stellwerk.errors import ConfigurationError
from stellwerk.settings import Settings
from stellwerk.settings.naming import PREFIX
from stellwerk.stack.transport import transport_of

SHORTEST_KEY_BYTES = 32  # RFC 7518, 3.2: HS256 needs a key as long as its hash
GIVEN_AWAY = (
    "changeme",
    "change-me",
    "change_me",
    "default",
    "example",
    "insecure",
    "password",
    "secret",
)  # what stands in documents and examples in place of a secret
LOCAL_IS_FINE = "or set STELLWERK_ALLOW_LOCAL_PROVIDERS=true"


def refuse_unfit(settings: Settings, *, serves: bool = True) -> None:
    """Pass in development mode; raises ConfigurationError with a line for each unfit setting.

    `serves`: what is to start opens the public port.
    """
    if settings.mode is not Mode.PRODUCTION:
        return
    lines = [
        *(_open_transport(settings) if serves else ()),
        *_shared_host(settings),
        *_open_gateway(settings),
        *_local_parts(settings),
        *_weak_keys(settings),
        *_open_mails(settings),
        *_open_login(settings),
    ]
    if lines:
        listed = "\n".join(f"  {line}" for line in lines)
        raise ConfigurationError(f"Production mode does not start like this:\n{listed}")


def _open_transport(settings: Settings) -> Iterator[str]:
    if transport_of(settings).kind is Tls.OFF and not settings.behind_proxy:
        yield (
            f"STELLWERK_HOST={settings.host} serves plain HTTP: put a certificate into "
            "STELLWERK_CERTIFICATE_DIR, or set PUBLIC_URL=https://... so that one is obtained, "
            "or say with STELLWERK_BEHIND_PROXY=true that a proxy with TLS stands in front"
        )
    if settings.public_url and not settings.public_url.lower().startswith("https://"):
        yield f"PUBLIC_URL={settings.public_url} makes links and callbacks that are not encrypted"


def _shared_host(settings: Settings) -> Iterator[str]:
    url = settings.modules_url
    if not url:
        return
    if not url.startswith("https://"):
        yield f"STELLWERK_MODULES_URL={url} serves pages that are not encrypted"
    if not settings.public_url:
        yield (
            f"STELLWERK_MODULES_URL={url} has to be another host than the platform's, which nobody "
            "named: set PUBLIC_URL=https://..."
        )
    if urlsplit(url).hostname == urlsplit(settings.public_url).hostname:
        yield (
            f"STELLWERK_MODULES_URL={url} is the platform's own host, whose cookies browsers send "
            "to every port: choose another, such as a subdomain"
        )


def _open_gateway(settings: Settings) -> Iterator[str]:
    is_beside_modules = settings.module_runtime is ModuleRuntime.PROCESS
    if is_beside_modules and not settings.gateway_url().startswith("unix:"):
        yield (
            f"STELLWERK_GATEWAY_ADMIN={settings.gateway_admin} can be opened by every module, "
            "since they run as processes of this machine: leave it empty for a socket in the home, "
            "or name one (unix:///a/path)"
        )


def _open_mails(settings: Settings) -> Iterator[str]:
    sends_mails = settings.mail_provider is MailProvider.SMTP
    in_clear = sends_mails and settings.smtp_security is SmtpSecurity.NONE
    if in_clear and not _is_loopback(settings.smtp_host):
        yield (
            "STELLWERK_SMTP_SECURITY=none sends mails, and the links in them, in clear text to "
            f"{settings.smtp_host}: choose starttls or tls"
        )


def _open_login(settings: Settings) -> Iterator[str]:
    if settings.allow_unverified_login:
        yield "STELLWERK_ALLOW_UNVERIFIED_LOGIN=true lets anybody sign in with another's address"


def _local_parts(settings: Settings) -> Iterator[str]:
    if settings.allow_local_providers:
        return
    chosen = {
        "STELLWERK_SCRIPT_PROVIDER": (settings.script_provider, ScriptProvider.TEMPLATE),
        "STELLWERK_VOICE_PROVIDER": (settings.voice_provider, VoiceProvider.LOCAL),
        "STELLWERK_IMAGE_PROVIDER": (settings.image_provider, ImageProvider.PILLOW),
        "STELLWERK_ARTIFACT_STORE": (settings.artifact_store, ArtifactStore.LOCAL),
        "STELLWERK_MAIL_PROVIDER": (settings.mail_provider, MailProvider.LOCAL),
    }
    for name, (found, local) in chosen.items():
        if found is local:
            others = " or ".join(member.value for member in type(found) if member is not local)
            yield f"{name}={found.value} is a local stand-in: choose {others}, {LOCAL_IS_FINE}"


def _weak_keys(settings: Settings) -> Iterator[str]:
    """A key that is not given is made at the first start, and long enough."""
    given = {
        "JWT_SECRET_KEY": [settings.jwt_secret_key.get_secret_value()],
        "STELLWERK_ENCRYPTION_KEY": settings.encryption_key.get_secret_value().split(","),
    }
    advice = "take the output of `openssl rand -base64 48`"
    for name, keys in given.items():
        if any(keys) and any(len(key.strip().encode()) < SHORTEST_KEY_BYTES for key in keys):
            yield f"{name} is shorter than {SHORTEST_KEY_BYTES} bytes: {advice}"
    tokens = ("flower_password", "scrape_token", "realtime_token", "edge_token")
    given |= {
        f"{PREFIX}{name.upper()}": [getattr(settings, name).get_secret_value()] for name in tokens
    }
    for name, keys in given.items():
        if any(word in key.lower() for key in keys for word in GIVEN_AWAY):
            yield f"{name} is one that others use too: {advice}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
