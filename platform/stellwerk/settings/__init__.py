"""Every setting of every process, read once from `STELLWERK_*` variables and `.env`.

This package alone looks at the environment; each of its sections is a class of its own. The
ecosystem's usual names (`DATABASE_URL`, `REDIS_URL`, `OPENAI_API_KEY` ...) are accepted as
aliases. Secrets are `SecretStr`: they do not show in logs or reprs.
"""

import os
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError, computed_field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from stellwerk.choices import Mode
from stellwerk.errors import ConfigurationError
from stellwerk.settings.calls import Calls
from stellwerk.settings.carriers import Carriers
from stellwerk.settings.connections import Connections
from stellwerk.settings.edge import Edge
from stellwerk.settings.engine import Engine
from stellwerk.settings.installation import Installation
from stellwerk.settings.mail import Mail
from stellwerk.settings.modules import Modules
from stellwerk.settings.naming import PREFIX
from stellwerk.settings.outside import Outside
from stellwerk.settings.people import People
from stellwerk.settings.studio import Studio
from stellwerk.settings.watching import Watching

# In the order of the documents.
SECTIONS = (
    Installation,
    Watching,
    Edge,
    Engine,
    People,
    Outside,
    Mail,
    Studio,
    Calls,
    Carriers,
    Modules,
    Connections,
)


class Settings(
    Connections,
    Modules,
    Carriers,
    Calls,
    Studio,
    Mail,
    Outside,
    People,
    Engine,
    Edge,
    Watching,
    Installation,
    BaseSettings,
):
    """The typed settings; every field's comment gives its unit where the name does not."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        frozen=True,
    )

    @model_validator(mode="after")
    def _only_tests_crash(self) -> Self:
        if self.crash_folder is not None and self.mode is Mode.PRODUCTION:
            raise ValueError("CRASH_FOLDER kills processes on purpose: not in production mode.")
        return self

    @model_validator(mode="after")
    def _modules_have_an_origin_of_their_own(self) -> Self:
        is_chosen = bool(self.modules_url) or "modules_port" in self.model_fields_set
        origin = self.modules_base_url() if self.modules_url or self.modules_port else ""
        if origin in self.cors_origins or (is_chosen and origin == self.base_url()):
            raise ValueError(
                f"Pages of modules, at {origin}, would act for whoever is signed in: give them "
                "(MODULES_URL, MODULES_PORT) an origin that is neither the platform's nor among "
                "CORS_ORIGINS."
            )
        return self

    @computed_field  # type: ignore[prop-decorator]  # pydantic's documented pattern, mypy #1362
    @property
    def artifacts_path(self) -> Path:
        """Folder of the local artifact store."""
        return (self.artifact_dir or self.home / "artifacts").absolute()

    @computed_field  # type: ignore[prop-decorator]  # the same
    @property
    def mails_path(self) -> Path:
        """Folder of the local mailer."""
        return (self.mail_dir or self.home / "mail").absolute()

    def database(self) -> str:
        """SQLAlchemy URL of Postgres.

        Raises ConfigurationError where none is set.
        """
        return _sqlalchemy_url(_required(self.database_url, "DATABASE_URL"))

    def redis(self) -> str:
        """URL of Redis; raises ConfigurationError where none is set."""
        return _required(self.redis_url, "REDIS_URL")

    def broker(self) -> str:
        """URL of Celery's broker."""
        return self.broker_url.get_secret_value() or self.redis()

    def signing_key(self) -> str:
        """Key of access tokens; raises ConfigurationError where none is set."""
        return _required(self.jwt_secret_key, "JWT_SECRET_KEY")

    def longest_token_s(self) -> int:
        """How long the longest of the tokens that signing keys sign is good for."""
        return max(self.access_token_ttl_s, self.telephony_token_ttl_s, self.browser_session_s())

    def browser_session_s(self) -> int:
        """How long a session in a cookie lasts: no longer than the session behind it."""
        return min(self.browser_session_ttl_s, self.refresh_token_ttl_s)

    def encryption_keys(self) -> list[str]:
        """Keys of the vault, the present one first.

        Raises ConfigurationError where none is set.
        """
        keys = _required(self.encryption_key, "ENCRYPTION_KEY").split(",")
        return [key.strip() for key in keys]

    def realtime_secret(self) -> str:
        """What realtime identifies itself with; raises ConfigurationError where none is set."""
        return _required(self.realtime_token, "REALTIME_TOKEN")

    def base_url(self) -> str:
        """What links and callbacks start with, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    def modules_base_url(self) -> str:
        """The origin of modules' pages, without a trailing slash."""
        if self.modules_url:
            return self.modules_url
        parts = urlsplit(self.public_url)
        host = parts.hostname or self.host
        bracketed = f"[{host}]" if ":" in host else host
        return f"{parts.scheme or 'http'}://{bracketed}:{self.modules_port}"

    def gateway_url(self) -> str:
        """Where the gateway of modules is told its routes: `unix:///path` or `http://host:port`."""
        return self.gateway_admin or f"unix://{self.home.absolute() / 'gateway' / 'admin.sock'}"


def _required(secret: SecretStr, name: str) -> str:
    value = secret.get_secret_value()
    if not value:
        message = f"{PREFIX}{name} is not set. Set it, or run under `stellwerk up`, which does."
        raise ConfigurationError(message)
    return value


def _sqlalchemy_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if scheme in {"postgres", "postgresql"} else url


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` win over the environment.

    Raises ConfigurationError naming each wrong or unknown variable.
    """
    _refuse_unknown_names()
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        wrong = "; ".join(
            f"{_variable(error['loc'])}: {error['msg']}"
            for error in exc.errors(include_input=False)
        )
        message = f"Settings are wrong. {wrong}"
        raise ConfigurationError(message) from exc


def _variable(location: tuple[int | str, ...]) -> str:
    return PREFIX + ".".join(map(str, location)).upper().removeprefix(PREFIX)


@cache
def settings() -> Settings:
    """The process's settings, read at the first call."""
    return load_settings()


def environment() -> dict[str, str]:
    """A copy of this process's environment, to hand to child processes."""
    return dict(os.environ)


def _refuse_unknown_names() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known | TOOL_NAMES:
            close = get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            message = f"{name} is not a setting of Stellwerk.{hint}"
            raise ConfigurationError(message)


TOOL_NAMES = frozenset(
    {
        f"{PREFIX}URL",  # read by the command line client
        f"{PREFIX}TOKEN",
        f"{PREFIX}CONFIG",
        f"{PREFIX}PYTHON",  # read by the Makefile
        f"{PREFIX}RUN",  # marks the processes of one `stellwerk up`
    }
)
