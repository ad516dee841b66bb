"""Who may sign in, and what a tier is worth."""

from decimal import Decimal

from pydantic import BaseModel, Field, SecretStr

from stellwerk.settings.naming import named


class People(BaseModel):
    """Who may sign in, and what a tier is worth."""

    # Identity
    jwt_secret_key: SecretStr = named("jwt_secret_key", SecretStr(""), "JWT_SECRET_KEY")
    access_token_ttl_s: int = Field(default=3600, ge=60)
    telephony_token_ttl_s: int = Field(default=900, ge=60)  # of access tokens that may place calls
    refresh_token_ttl_s: int = Field(default=604_800, ge=60)  # a session unused for so long ends
    refresh_grace_s: float = Field(default=30.0, ge=0)  # a lost answer may be asked for again
    session_cache_s: int = Field(default=900, ge=1)  # how long Redis keeps who a token belongs to
    browser_session_ttl_s: int = Field(default=43_200, ge=60)  # of a browser that is not used
    allow_unverified_login: bool | None = None  # empty: in development only
    verify_link_valid_h: int = Field(default=24, ge=1)  # in mails that ask to verify an address
    reset_link_valid_h: int = Field(default=1, ge=1)  # for forgotten passwords, and to confirm
    password_reset_page: str = ""  # where those lead to, with ?token=; empty: the API
    confirmation_page: str = ""  # where links that confirm lead to, likewise
    erasure_grace_h: float = Field(default=0, ge=0)  # so long an erasure can be taken back
    export_kept_days: int = Field(default=7, ge=1)  # how long an export can be downloaded
    unverified_account_days: int = Field(default=0, ge=0)  # then one nobody used goes; 0: never
    strangers_kept_days: int = Field(
        default=90, ge=0
    )  # what the record says of who is not signed in
    scrape_token: SecretStr = SecretStr("")  # lets Prometheus read /metrics
    channels_limits: dict[str, int] = {"free": 1, "pro": 10, "enterprise": 100}  # by tier
    daily_video_limits: dict[str, int] = {"free": 2, "pro": 20, "enterprise": 200}  # a day in UTC
    monthly_budgets_eur: dict[str, Decimal] = {  # a calendar month (UTC), by tier
        "free": Decimal(10),
        "pro": Decimal(200),
        "enterprise": Decimal(5000),
    }
    licence_channels: int | None = Field(default=None, ge=0)  # no account has more; empty: no cap
    licence_daily_videos: int | None = Field(default=None, ge=0)  # likewise, a day in UTC
    licence_monthly_budget_eur: Decimal | None = Field(default=None, ge=0)  # likewise, a month
