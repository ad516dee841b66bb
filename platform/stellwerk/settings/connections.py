"""Which accounts of other services users may connect."""

from pydantic import BaseModel, Field, SecretStr

from stellwerk.settings.naming import named


class Connections(BaseModel):
    """Which accounts of other services users may connect."""

    # Connections to accounts elsewhere
    google_client_id: str = named("google_client_id", "", "GOOGLE_CLIENT_ID")  # empty: no Google
    google_client_secret: SecretStr = named(
        "google_client_secret", SecretStr(""), "GOOGLE_CLIENT_SECRET"
    )
    google_base_url: str = ""  # in place of Google's own servers, for tests
    nextcloud_url: str = named("nextcloud_url", "", "NEXTCLOUD_URL")  # empty: no Nextcloud
    nextcloud_client_id: str = named("nextcloud_client_id", "", "NEXTCLOUD_CLIENT_ID")
    nextcloud_client_secret: SecretStr = named(
        "nextcloud_client_secret", SecretStr(""), "NEXTCLOUD_CLIENT_SECRET"
    )
    nextcloud_redirect_urls: list[str] = []  # of apps that sign in by Nextcloud; empty: none does
    nextcloud_app_client_id: str = ""  # of those apps, at Nextcloud; empty: the client above
    nextcloud_app_client_secret: SecretStr = SecretStr("")
    oauth_return_urls: list[str] = []  # where a browser may be sent once an account is connected
    oauth_timeout_s: float = Field(default=8.0, gt=0)  # for one call of a provider
    oauth_renew_before_s: int = Field(default=300, ge=10)  # before an access token ends
