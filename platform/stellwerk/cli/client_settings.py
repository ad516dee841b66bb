"""What the command line client reads from the environment."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from stellwerk.settings.naming import PREFIX


class ClientSettings(BaseSettings):
    """What the command line client reads from the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    url: str = ""  # of the platform, such as https://stellwerk.example.com
    token: SecretStr = SecretStr("")  # an access token or an API key
    config: Path | None = None  # file that `stellwerk login` writes
