"""Which accounts carry calls, where no switch does."""

from pydantic import BaseModel, Field, SecretStr

from stellwerk.settings.naming import named


class Carriers(BaseModel):
    """Which accounts carry calls, where no switch does."""

    # Carriers of calls
    carrier_caller_id: str = ""  # E.164, bought or verified there; where a call names no other
    carrier_dials_per_s: float = Field(default=1.0, gt=0, le=100)  # as the account may
    carrier_timeout_s: float = Field(default=10.0, gt=0, le=60)  # for each answer
    carrier_poll_every_s: float = Field(default=2.0, ge=1)  # each call; with PUBLIC_URL: 30 s
    carrier_polls_per_s: float = Field(default=5.0, gt=0, le=100)  # of all calls together
    twilio_account_sid: str = named("twilio_account_sid", "", "TWILIO_ACCOUNT_SID")
    twilio_auth_token: SecretStr = named("twilio_auth_token", SecretStr(""), "TWILIO_AUTH_TOKEN")
    twilio_base_url: str = ""  # of another region, such as https://api.dublin.ie1.twilio.com
    telnyx_api_key: SecretStr = named("telnyx_api_key", SecretStr(""), "TELNYX_API_KEY")
    telnyx_connection_id: str = ""  # of the Call Control application
    telnyx_public_key: str = named("telnyx_public_key", "", "TELNYX_PUBLIC_KEY")  # of its webhooks
    telnyx_base_url: str = ""  # in place of Telnyx's own, for tests
