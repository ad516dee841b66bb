"""What is noticed of a platform at work."""

from pydantic import BaseModel, Field, SecretStr

from stellwerk.settings.naming import named


class Watching(BaseModel):
    """What is noticed of a platform at work."""

    # Looking at it
    slow_request_s: float = Field(default=1.0, ge=0)  # longer answers are logged as slow; 0: none
    slow_query_s: float = Field(default=0.5, ge=0)  # the same of statements to Postgres
    error_dsn: SecretStr = named("error_dsn", SecretStr(""), "SENTRY_DSN")  # empty: nothing is sent
