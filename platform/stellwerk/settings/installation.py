"""What the installation is, its backends and its processes."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, SecretStr

from stellwerk.choices import Mode
from stellwerk.settings.naming import named


class Installation(BaseModel):
    """What the installation is, its backends and its processes."""

    # The installation
    mode: Mode = Mode.DEVELOPMENT
    home: Path = Path(".stellwerk")  # data, logs and stack.json of the embedded stack
    host: str = "127.0.0.1"  # address the public port listens on
    port: int = Field(default=8000, ge=0, le=65535)  # 0: any free one
    public_url: str = named("public_url", "", "PUBLIC_URL")  # empty: http://host:port
    behind_proxy: bool = False  # a proxy with TLS stands in front: production may speak plain HTTP
    config_defaults: dict[str, Any] = {}  # of /admin/config, by entry; else built in
    log_level: str = "INFO"  # DEBUG, INFO, WARNING or ERROR
    log_format: str = Field(default="json", pattern="^(json|console)$")  # or console

    # Backends; empty: `stellwerk up` starts embedded ones
    database_url: SecretStr = named("database_url", SecretStr(""), "DATABASE_URL")
    redis_url: SecretStr = named("redis_url", SecretStr(""), "REDIS_URL")
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

    # Tracing
    tracing_endpoint: str = named("tracing_endpoint", "", "OTEL_EXPORTER_OTLP_ENDPOINT")
    tracing_ratio: float = Field(default=1.0, ge=0, le=1)  # of the traces that begin here
