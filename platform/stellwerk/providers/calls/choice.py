"""Builds the trunk of the carrier that the settings name, and the readers of callbacks.

SDKs are imported only where their carrier is set up.
"""
# ruff: noqa: PLC0415  imports of SDKs stand where a carrier is chosen

from collections.abc import Mapping

from pydantic import SecretStr

from stellwerk.choices import CallProvider
from stellwerk.errors import ConfigurationError
from stellwerk.providers.calls.callbacks import Callbacks
from stellwerk.providers.calls.carriers import Manner
from stellwerk.providers.calls.protocol import Trunk
from stellwerk.providers.calls.rounds import Pace
from stellwerk.settings import Settings


def carriers_trunk(settings: Settings) -> Trunk | None:
    """None where no carrier is chosen; raises ConfigurationError naming what one lacks."""
    if settings.call_provider is CallProvider.TWILIO:
        return _twilio(settings)
    if settings.call_provider is CallProvider.TELNYX:
        return _telnyx(settings)
    return None


def carriers_callbacks(settings: Settings) -> Mapping[str, Callbacks]:
    """Readers by the name in routes, of the carriers that can be known by what they sign."""
    found: dict[str, Callbacks] = {}
    if settings.twilio_auth_token.get_secret_value():
        from stellwerk.providers.calls.twilio.callbacks import TwilioCallbacks

        found["twilio"] = TwilioCallbacks(settings.twilio_auth_token, settings.base_url())
    if settings.telnyx_public_key:
        from stellwerk.providers.calls.telnyx.callbacks import TelnyxCallbacks

        found["telnyx"] = TelnyxCallbacks(settings.telnyx_public_key)
    return found


def _twilio(settings: Settings) -> Trunk:
    from stellwerk.providers.calls.twilio.client import Account, TwilioAccount
    from stellwerk.providers.calls.twilio.trunk import TwilioTrunk

    account = Account(
        sid=_set(settings.twilio_account_sid, "TWILIO_ACCOUNT_SID"),
        token=_secret(settings.twilio_auth_token, "TWILIO_AUTH_TOKEN"),
        base_url=settings.twilio_base_url,
        timeout_s=settings.carrier_timeout_s,
    )
    return TwilioTrunk(TwilioAccount(account), _manner(settings, is_heard=True))


def _telnyx(settings: Settings) -> Trunk:
    from stellwerk.providers.calls.telnyx.client import Access, client_of
    from stellwerk.providers.calls.telnyx.trunk import TelnyxTrunk

    access = Access(
        api_key=_secret(settings.telnyx_api_key, "TELNYX_API_KEY"),
        connection_id=_set(settings.telnyx_connection_id, "TELNYX_CONNECTION_ID"),
        base_url=settings.telnyx_base_url,
        timeout_s=settings.carrier_timeout_s,
    )
    manner = _manner(settings, is_heard=bool(settings.telnyx_public_key))
    return TelnyxTrunk(client_of(access), access.connection_id, manner)


def _manner(settings: Settings, *, is_heard: bool) -> Manner:
    """`is_heard`: what the carrier tells can be known to be its own."""
    return Manner(
        dials_per_s=settings.carrier_dials_per_s,
        caller_id=settings.carrier_caller_id,
        public_url=settings.base_url() if settings.public_url and is_heard else "",
        pace=Pace(settings.carrier_poll_every_s, settings.carrier_polls_per_s),
    )


def _set(value: str, name: str) -> str:
    if not value:
        message = f"STELLWERK_{name} is not set, but calls are carried by who needs it."
        raise ConfigurationError(message)
    return value


def _secret(secret: SecretStr, name: str) -> SecretStr:
    _set(secret.get_secret_value(), name)
    return secret
