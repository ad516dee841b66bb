"""What can be chosen by settings, where there is more than one of it."""

from enum import StrEnum


class Mode(StrEnum):
    """How strict the installation is about secrets, TLS and local stand-ins."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Tls(StrEnum):
    """How the public port is encrypted."""

    AUTO = "auto"
    FILES = "files"
    ACME = "acme"
    OFF = "off"


class TlsVersion(StrEnum):
    """Of the TLS protocol."""

    V1_2 = "1.2"
    V1_3 = "1.3"


class ArtifactStore(StrEnum):
    """Where files made by jobs live."""

    LOCAL = "local"
    S3 = "s3"


class MailProvider(StrEnum):
    """Who delivers mails."""

    LOCAL = "local"
    SMTP = "smtp"


class SmtpSecurity(StrEnum):
    """How the connection to a mail server is encrypted."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class ScriptProvider(StrEnum):
    """Who writes video scripts."""

    TEMPLATE = "template"
    OPENAI = "openai"


class VoiceProvider(StrEnum):
    """Who speaks the narration."""

    LOCAL = "local"
    ELEVENLABS = "elevenlabs"


class ImageProvider(StrEnum):
    """Who draws the scenes."""

    PILLOW = "pillow"
    OPENAI = "openai"


class CallProvider(StrEnum):
    """Who carries calls."""

    FREESWITCH = "freeswitch"
    TELNYX = "telnyx"
    TWILIO = "twilio"


class ModuleRuntime(StrEnum):
    """What runs modules."""

    PROCESS = "process"
    SWARM = "swarm"
