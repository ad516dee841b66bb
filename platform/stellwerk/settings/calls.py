"""Who carries calls, and how many there may be."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, StringConstraints

from stellwerk.choices import CallProvider
from stellwerk.settings.naming import named


class Calls(BaseModel):
    """Who carries calls, and how many there may be."""

    # Calls
    call_provider: CallProvider = CallProvider.FREESWITCH
    call_region: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = (
        "DE"  # of numbers that are written without their country code (ISO 3166)
    )
    call_dial_within_s: float = Field(default=300.0, gt=0)  # asked longer ago: not dialled any more
    call_dial_tries: int = Field(default=6, ge=1)  # of what was certainly not dialled
    call_lease_s: float = Field(default=5.0, ge=4)  # how long a vanished telephony process leads
    call_settling_s: float = Field(default=10.0, ge=3)  # then an order nobody knows of is in doubt
    call_recordings_dir: Path = Path("/var/lib/freeswitch/recordings")  # on the switch's disk
    call_recordings_mount: Path | None = None  # where workers find that folder; none: there too
    concurrent_calls_limits: dict[str, int] = {"free": 2, "pro": 10, "enterprise": 200}  # by tier
    daily_call_limits: dict[str, int] = {"free": 50, "pro": 500, "enterprise": 20_000}  # a UTC day
    call_numbers_kept_days: int = Field(default=365, ge=1)  # then calls name no number and no user

    # FreeSWITCH
    calls_per_s: float = Field(default=10.0, gt=0, le=1000)  # begun; below what the trunk admits
    esl_host: str = named("esl_host", "", "ESL_HOST")  # of a FreeSWITCH; empty: there is none
    esl_port: int = Field(default=8021, ge=1, le=65535)
    esl_password: SecretStr = named("esl_password", SecretStr(""), "ESL_PASSWORD")
    esl_gateway: str = "trunk"  # of the switch, over which is dialled
    esl_dial_template: str = ""  # empty: sofia/gateway/GATEWAY/{number}
    esl_announcement: str = ""  # path on the switch, played before a call is recorded
    esl_timeout_s: float = Field(default=10.0, gt=0, le=60)  # for each answer of the switch
