"""Every setting of every process, read once from `STELLWERK_*` variables and `.env`.

This is the only module that looks at the environment. The ecosystem's usual names
(`DATABASE_URL`, `REDIS_URL`, `OPENAI_API_KEY` ...) are accepted as aliases. Secrets are
`SecretStr`: they do not show in logs or reprs.
"""

import os
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import (
    AliasChoices,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    ValidationInfo,
    computed_field,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from stellwerk.choices import ArtifactStore, ImageProvider, Mode, ScriptProvider, VoiceProvider
from stellwerk.errors import ConfigurationError

PREFIX = "STELLWERK_"


def _named(name: str, default: Any, *aliases: str) -> Any:
    """A field that is also read from well-known names without our prefix."""
    choices = AliasChoices(f"{PREFIX}{name.upper()}", *aliases)
    return Field(default=default, validation_alias=choices)


class Settings(BaseSettings):
    """The typed settings; every field's comment gives its unit where the name does not."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        frozen=True,
    )

    # The installation
    mode: Mode = Mode.DEVELOPMENT
    home: Path = Path(".stellwerk")  # data, logs and stack.json of the embedded stack
    host: str = "127.0.0.1"  # address the public port listens on
    port: int = Field(default=8000, ge=0, le=65535)  # 0: any free one
    public_url: str = _named("public_url", "", "PUBLIC_URL")  # empty: http://host:port
    behind_proxy: bool = False  # a proxy with TLS stands in front: production may speak plain HTTP
    log_level: str = "INFO"  # DEBUG, INFO, WARNING or ERROR
    log_format: str = Field(default="json", pattern="^(json|console)$")  # or console

    # Backends; empty: `stellwerk up` starts embedded ones
    database_url: SecretStr = _named("database_url", SecretStr(""), "DATABASE_URL")
    redis_url: SecretStr = _named("redis_url", SecretStr(""), "REDIS_URL")
    broker_url: SecretStr = SecretStr("")  # empty: the Redis URL
    database_pool_size: int = Field(default=5, ge=1)  # where a role has no number of its own
    redis_timeout_s: float = Field(default=0.5, gt=0)  # connect and answer, in web processes
    redis_pause_s: float = Field(default=1.0, gt=0)  # how long a failed Redis is left alone

    # Processes of the stack
    web_workers: int = Field(default=2, ge=1)  # processes
    web_threads: int = Field(default=4, ge=1)  # blocking threads per process
    short_slots: int = Field(default=8, ge=1)  # jobs at once in the worker of this queue
    long_slots: int = Field(default=2, ge=1)  # jobs at once in the worker of this queue
    media_slots: int = Field(default=1, ge=1)  # jobs at once in the worker of this queue
    realtime_max_waiters: int = Field(default=2000, ge=1)  # long-polls held back at once
    realtime_max_listeners: int = Field(default=15_000, ge=1)  # sockets and streams open at once
    realtime_listeners_per_user: int = Field(default=50, ge=1)  # of those, in one process
    realtime_compare_every_s: float = Field(default=15.0, gt=0)  # silent jobs with the ledger
    realtime_channels_per_socket: int = Field(default=100, ge=1)  # subscriptions of one socket
    shutdown_grace_s: float = Field(default=15.0, gt=0)  # how long a process may take to end
    flower_user: str = "operator"
    flower_password: SecretStr = SecretStr("")
    web_address: str = "127.0.0.1:8001"  # where the edge and realtime find the web process
    realtime_port: int = Field(default=8002, ge=1, le=65535)
    realtime_token: SecretStr = SecretStr("")  # with it realtime asks web in its own name

    # The job engine
    job_lease_s: float = Field(default=30.0, gt=0)  # how long a vanished worker keeps its job
    job_heartbeat_s: float = Field(default=8.0, gt=0)  # how often workers renew it
    job_republish_after_s: float = Field(
        default=30.0, gt=0
    )  # then an unclaimed wake-up counts as lost
    job_dispatch_interval_s: float = Field(default=0.25, gt=0)  # between turns of the dispatcher
    job_window_factor: int = Field(default=4, ge=1)  # wake-ups outstanding per short slot; else 1
    job_window_factor_max: int = Field(default=64, ge=1)  # per slot, while a backlog runs quickly
    keep_completed_days: int = Field(default=30, ge=1)  # completed and cancelled jobs
    keep_failed_days: int = Field(default=90, ge=1)  # failed jobs
    keep_tombstones_days: int = Field(default=365, ge=1)  # so long a purged job answers 410
    job_list_length: int = Field(default=50, ge=1)  # short jobs in one wake-up while many wait
    owner_max_running: dict[str, int] = {}  # jobs of one owner at once, by queue: {"media": 2}
    job_kill_grace_s: float = Field(default=10.0, gt=0)  # how long a handler may ignore its stop
    job_status_ttl_s: int = Field(default=30, ge=5)  # of an unfinished job in Redis
    schedules_limit: int = Field(default=100, ge=0)  # schedules of one user
    schedule_waiting_max: int = Field(default=100, ge=0)  # times that wait where overlap is `queue`
    idempotency_ttl_s: int = Field(default=86_400, ge=60)  # how long an Idempotency-Key is known
    job_events_kept: int = Field(default=1000, ge=10)  # per job
    job_children_max: int = Field(default=10_000, ge=1)  # of one job
    job_depth_max: int = Field(default=8, ge=1)  # jobs above a job: its parent, that one's ...
    job_signals_max: int = Field(default=1000, ge=1)  # that a job keeps and no wait took yet
    job_signal_bytes: int = Field(default=65_536, ge=1)  # of a signal's data as JSON, at most
    retry_delays_s: dict[str, list[float]] = {}  # by operation, in place of its own retry policy
    crash_folder: Path | None = None  # for chaos tests: files in it kill processes

    # Tracing
    tracing_endpoint: str = _named("tracing_endpoint", "", "OTEL_EXPORTER_OTLP_ENDPOINT")
    tracing_ratio: float = Field(default=1.0, ge=0, le=1)  # of the traces that begin here

    # Identity
    jwt_secret_key: SecretStr = _named("jwt_secret_key", SecretStr(""), "JWT_SECRET_KEY")
    access_token_ttl_s: int = Field(default=3600, ge=60)
    session_cache_s: int = Field(default=900, ge=1)  # how long Redis keeps who a token belongs to
    allow_unverified_login: bool | None = None  # empty: in development only
    scrape_token: SecretStr = SecretStr("")  # lets Prometheus read /metrics
    channels_limits: dict[str, int] = {"free": 1, "pro": 10, "enterprise": 100}  # by tier
    daily_video_limits: dict[str, int] = {"free": 2, "pro": 20, "enterprise": 200}  # a day in UTC
    monthly_budgets_eur: dict[str, Decimal] = {  # a calendar month (UTC), by tier
        "free": Decimal(10),
        "pro": Decimal(200),
        "enterprise": Decimal(5000),
    }

    # Calls to URLs that users choose
    outbound_allowed_networks: list[IPvAnyNetwork] = []  # may be called though they are not public
    outbound_ports: list[int] = []  # that may be called; empty: any
    outbound_ca_file: Path | None = None  # certificates to trust; empty: the usual public ones

    # Webhooks
    encryption_key: SecretStr = SecretStr(
        ""
    )  # seals secrets in the database; several with commas: the first seals, all open
    webhook_timeout_s: float = Field(default=15.0, gt=0)  # for one try, from connect to answer
    webhook_endpoints_limit: int = Field(default=20, ge=1)  # of one user
    webhook_secret_overlap_h: float = Field(default=24.0, ge=0)  # old secrets sign along so long
    webhook_disable_after_days: float = Field(default=5.0, gt=0)  # of nothing but failures
    webhook_log_days: int = Field(default=30, ge=1)  # how long deliveries are listed

    # Artifacts
    artifact_store: ArtifactStore = ArtifactStore.LOCAL
    artifact_dir: Path | None = None  # default: HOME/artifacts
    s3_bucket: str = ""
    s3_endpoint_url: str = _named("s3_endpoint_url", "", "AWS_ENDPOINT_URL_S3")
    s3_region: str = _named("s3_region", "us-east-1", "AWS_REGION", "AWS_DEFAULT_REGION")
    s3_access_key_id: str = _named("s3_access_key_id", "", "AWS_ACCESS_KEY_ID")
    s3_secret_access_key: SecretStr = _named(
        "s3_secret_access_key", SecretStr(""), "AWS_SECRET_ACCESS_KEY"
    )

    # Studio
    allow_local_providers: bool = False  # in production: template, local, pillow, local files
    script_provider: ScriptProvider = ScriptProvider.TEMPLATE
    voice_provider: VoiceProvider = VoiceProvider.LOCAL
    image_provider: ImageProvider = ImageProvider.PILLOW
    openai_api_key: SecretStr = _named("openai_api_key", SecretStr(""), "OPENAI_API_KEY")
    openai_base_url: str = _named("openai_base_url", "", "OPENAI_BASE_URL")
    openai_script_model: str = "gpt-5-mini"
    openai_image_model: str = "gpt-image-1"
    elevenlabs_api_key: SecretStr = _named(
        "elevenlabs_api_key", SecretStr(""), "ELEVENLABS_API_KEY"
    )
    elevenlabs_base_url: str = ""
    elevenlabs_model: str = "eleven_multilingual_v2"
    elevenlabs_voices: dict[str, str] = {  # language to voice id
        "en": "JBFqnCBsd6RMkjVDRZzb",
        "de": "JBFqnCBsd6RMkjVDRZzb",
    }
    provider_timeout_s: float = Field(default=60.0, gt=0)
    prices_eur: dict[str, Decimal] = {  # "provider.unit" to the price of one unit
        "template.script": Decimal("0.001"),
        "local.character": Decimal("0.000002"),
        "pillow.image": Decimal("0.0005"),
        "ffmpeg.second": Decimal("0.0001"),
        "openai.input_token": Decimal("0.00000025"),
        "openai.output_token": Decimal("0.000002"),
        "openai.image": Decimal("0.04"),
        "elevenlabs.character": Decimal("0.0002"),
    }

    @field_validator("crash_folder")
    @classmethod
    def _only_tests_crash(cls, folder: Path | None, info: ValidationInfo) -> Path | None:
        if folder is not None and info.data.get("mode") is Mode.PRODUCTION:
            raise ValueError("It kills processes on purpose: not in production mode.")
        return folder

    @computed_field  # type: ignore[prop-decorator]  # pydantic's documented pattern, mypy #1362
    @property
    def artifacts_path(self) -> Path:
        """Folder of the local artifact store."""
        return (self.artifact_dir or self.home / "artifacts").absolute()

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
