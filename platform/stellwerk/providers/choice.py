"""Builds the providers that the settings name. Their SDKs are imported only when chosen."""
# ruff: noqa: PLC0415  imports of SDKs stand where a provider is chosen

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING

import certifi
from pydantic import SecretStr

from stellwerk.choices import (
    ArtifactStore,
    CallProvider,
    ImageProvider,
    MailProvider,
    Mode,
    ScriptProvider,
    SmtpSecurity,
    VoiceProvider,
)
from stellwerk.errors import ConfigurationError
from stellwerk.mailboxes import Mailbox, mailbox
from stellwerk.providers.artifacts.local import LocalArtifacts
from stellwerk.providers.artifacts.protocol import ArtifactStorage
from stellwerk.providers.calls.choice import carriers_callbacks, carriers_trunk
from stellwerk.providers.calls.protocol import Trunk
from stellwerk.providers.catalogue import Providers
from stellwerk.providers.gateway.choice import gateway
from stellwerk.providers.images.pillow import PillowIllustrator
from stellwerk.providers.images.protocol import Illustrator
from stellwerk.providers.mail.conversation import SmtpServer
from stellwerk.providers.mail.local import LocalMailer
from stellwerk.providers.mail.protocol import Mailer
from stellwerk.providers.mail.smtp import SmtpMailer
from stellwerk.providers.oauth.protocol import AuthorizationServer
from stellwerk.providers.outbound.addresses import AddressRules
from stellwerk.providers.outbound.client import OutboundClient
from stellwerk.providers.outbound.targets import TargetRules
from stellwerk.providers.repositories.choice import repositories
from stellwerk.providers.script.protocol import ScriptWriter
from stellwerk.providers.script.template import TemplateWriter
from stellwerk.providers.services.choice import services
from stellwerk.providers.voice.local import LocalVoice
from stellwerk.providers.voice.protocol import Voice
from stellwerk.settings import Settings

if TYPE_CHECKING:
    from openai import OpenAI

SMTP_PORTS = {SmtpSecurity.STARTTLS: 587, SmtpSecurity.TLS: 465, SmtpSecurity.NONE: 25}
NOBODYS = Mailbox("no-reply@stellwerk.example", "Stellwerk")  # where mails stay on this machine


def choose_providers(settings: Settings) -> Providers:
    """One provider of each capability; connects to nothing yet.

    Raises ConfigurationError naming the setting a chosen provider lacks.
    """
    return Providers(
        artifacts=artifact_storage(settings),
        script=_script_writer(settings),
        voice=_voice(settings),
        images=_illustrator(settings),
        mail=_mailer(settings),
        outbound=_outbound(settings),
        repositories=repositories(settings),
        services=services(settings),
        gateway=gateway(settings),
        oauth=_authorization_servers(settings),
        nextcloud_sign_in=_nextcloud_sign_in(settings),
        trunk=_trunk(settings),
        callbacks=carriers_callbacks(settings),
    )


def artifact_storage(settings: Settings) -> ArtifactStorage:
    """Where artifacts are kept; raises ConfigurationError for S3 without a bucket."""
    if settings.artifact_store is ArtifactStore.LOCAL:
        return LocalArtifacts(settings.artifacts_path)
    from stellwerk.providers.artifacts.s3 import S3Artifacts, s3_client

    if not settings.s3_bucket:
        raise ConfigurationError("STELLWERK_S3_BUCKET is not set, but artifacts go to S3.")
    client = s3_client(
        endpoint_url=settings.s3_endpoint_url,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key.get_secret_value(),
    )
    return S3Artifacts(client, settings.s3_bucket)


def _script_writer(settings: Settings) -> ScriptWriter:
    if settings.script_provider is ScriptProvider.TEMPLATE:
        return TemplateWriter()
    from stellwerk.providers.script.openai import OpenAiWriter

    return OpenAiWriter(_openai(settings), model=settings.openai_script_model)


def _voice(settings: Settings) -> Voice:
    if settings.voice_provider is VoiceProvider.LOCAL:
        return LocalVoice()
    from stellwerk.providers.voice.elevenlabs import ElevenLabsVoice, elevenlabs_client

    client = elevenlabs_client(
        _key(settings.elevenlabs_api_key, "ELEVENLABS_API_KEY"),
        base_url=settings.elevenlabs_base_url,
        timeout_s=settings.provider_timeout_s,
    )
    model, voices = settings.elevenlabs_model, settings.elevenlabs_voices
    return ElevenLabsVoice(client, model=model, voices=voices)


def _illustrator(settings: Settings) -> Illustrator:
    if settings.image_provider is ImageProvider.PILLOW:
        return PillowIllustrator()
    from stellwerk.providers.images.openai import OpenAiIllustrator

    return OpenAiIllustrator(_openai(settings), model=settings.openai_image_model)


def _openai(settings: Settings) -> "OpenAI":
    from stellwerk.providers.openai_client import openai_client

    return openai_client(
        _key(settings.openai_api_key, "OPENAI_API_KEY"),
        base_url=settings.openai_base_url,
        timeout_s=settings.provider_timeout_s,
    )


def _mailer(settings: Settings) -> Mailer:
    if settings.mail_provider is MailProvider.LOCAL:
        sender = _sender(settings.mail_from) if settings.mail_from else NOBODYS
        return LocalMailer(settings.mails_path, sender)
    for name in ("smtp_host", "mail_from"):
        if not getattr(settings, name):
            message = f"STELLWERK_{name.upper()} is not set, but mails are sent by SMTP."
            raise ConfigurationError(message)
    return SmtpMailer(_smtp_server(settings), _sender(settings.mail_from))


def _smtp_server(settings: Settings) -> SmtpServer:
    security = settings.smtp_security
    if settings.smtp_username and security is SmtpSecurity.NONE:
        message = "STELLWERK_SMTP_SECURITY=none would send SMTP_PASSWORD in clear text."
        raise ConfigurationError(message)
    return SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port or SMTP_PORTS[security],
        security=security,
        timeout_s=settings.smtp_timeout_s,
        tls=ssl.create_default_context(cafile=str(settings.smtp_ca_file or certifi.where())),
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value(),
    )


def _sender(address: str) -> Mailbox:
    try:
        return mailbox(address)
    except ValueError as exc:
        message = f"STELLWERK_MAIL_FROM is no address such as `Name <name@example.com>`: {exc}"
        raise ConfigurationError(message) from exc


def _outbound(settings: Settings) -> OutboundClient:
    return OutboundClient(
        AddressRules(tuple(settings.outbound_allowed_networks)),
        TargetRules(
            allow_http=settings.mode is not Mode.PRODUCTION,
            ports=frozenset(settings.outbound_ports),
        ),
        ca_file=settings.outbound_ca_file,
    )


def _authorization_servers(settings: Settings) -> Mapping[str, AuthorizationServer]:
    found: dict[str, AuthorizationServer] = {}
    if settings.google_client_id:
        found["google"] = _google(settings)
    if settings.nextcloud_url:
        found["nextcloud"] = _nextcloud(settings)
    return found


def _google(settings: Settings) -> AuthorizationServer:
    from stellwerk.providers.oauth.client import Registration
    from stellwerk.providers.oauth.google import Google

    secret = _key(settings.google_client_secret, "GOOGLE_CLIENT_SECRET")
    client_id, timeout_s = settings.google_client_id, settings.oauth_timeout_s
    return Google(Registration("Google", client_id, secret, timeout_s), settings.google_base_url)


def _nextcloud(settings: Settings) -> AuthorizationServer:
    secret = _key(settings.nextcloud_client_secret, "NEXTCLOUD_CLIENT_SECRET")
    return _nextcloud_client(settings, settings.nextcloud_client_id, secret)


def _nextcloud_sign_in(settings: Settings) -> AuthorizationServer | None:
    """A client of a Nextcloud has one redirect URL, so apps may need one of their own."""
    if not (settings.nextcloud_url and settings.nextcloud_redirect_urls):
        return None
    if not settings.nextcloud_app_client_id:
        return _nextcloud(settings)
    name = "STELLWERK_NEXTCLOUD_APP_CLIENT_SECRET"
    secret = _key(settings.nextcloud_app_client_secret, name)
    return _nextcloud_client(settings, settings.nextcloud_app_client_id, secret)


def _nextcloud_client(settings: Settings, client_id: str, secret: str) -> AuthorizationServer:
    from stellwerk.providers.oauth.client import Registration
    from stellwerk.providers.oauth.nextcloud import Nextcloud

    registration = Registration("Nextcloud", client_id, secret, settings.oauth_timeout_s)
    return Nextcloud(registration, settings.nextcloud_url)


def _trunk(settings: Settings) -> Trunk | None:
    """None where the chosen provider of calls is not set up."""
    if settings.call_provider is not CallProvider.FREESWITCH:
        return carriers_trunk(settings)
    if not settings.esl_host:
        return None
    from stellwerk.providers.calls.freeswitch.connection import Socket
    from stellwerk.providers.calls.freeswitch.dial_strings import DialPlan
    from stellwerk.providers.calls.freeswitch.trunk import FreeSwitchTrunk

    password = _key(settings.esl_password, "STELLWERK_ESL_PASSWORD")
    plan = DialPlan(settings.esl_gateway, settings.esl_dial_template, settings.esl_announcement)
    socket = Socket(settings.esl_host, settings.esl_port, password, settings.esl_timeout_s)
    return FreeSwitchTrunk(socket, plan, dials_per_s=settings.calls_per_s)


def _key(secret: SecretStr, name: str) -> str:
    value = secret.get_secret_value()
    if not value:
        raise ConfigurationError(f"{name} is not set, but a provider that needs it is chosen.")
    return value
