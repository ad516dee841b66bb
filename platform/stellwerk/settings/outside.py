"""What is called and kept outside the platform."""

from pathlib import Path

from pydantic import BaseModel, Field, IPvAnyNetwork, SecretStr

from stellwerk.choices import ArtifactStore
from stellwerk.settings.naming import named


class Outside(BaseModel):
    """What is called and kept outside the platform."""

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
    s3_endpoint_url: str = named("s3_endpoint_url", "", "AWS_ENDPOINT_URL_S3")
    s3_region: str = named("s3_region", "us-east-1", "AWS_REGION", "AWS_DEFAULT_REGION")
    s3_access_key_id: str = named("s3_access_key_id", "", "AWS_ACCESS_KEY_ID")
    s3_secret_access_key: SecretStr = named(
        "s3_secret_access_key", SecretStr(""), "AWS_SECRET_ACCESS_KEY"
    )
