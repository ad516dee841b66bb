"""How mails are sent."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr

from stellwerk.choices import MailProvider, SmtpSecurity
from stellwerk.settings.naming import named


class Mail(BaseModel):
    """How mails are sent."""

    # Mail
    mail_provider: MailProvider = MailProvider.LOCAL  # local: a Maildir, `stellwerk mail` reads it
    mail_from: str = named("mail_from", "", "MAIL_FROM")  # Stellwerk <no-reply@example.com>
    mail_dir: Path | None = None  # of the local one; default: HOME/mail
    smtp_host: str = named("smtp_host", "", "SMTP_HOST")
    smtp_port: int = Field(default=0, ge=0, le=65535)  # 0: 587, with tls 465, with none 25
    smtp_security: SmtpSecurity = SmtpSecurity.STARTTLS  # tls: from the first byte on
    smtp_username: str = named("smtp_username", "", "SMTP_USERNAME")  # empty: without signing in
    smtp_password: SecretStr = named("smtp_password", SecretStr(""), "SMTP_PASSWORD")
    smtp_ca_file: Path | None = None  # certificates to trust; empty: the usual public ones
    smtp_timeout_s: float = Field(default=60.0, gt=0, le=100)  # one mail, connecting to last answer
