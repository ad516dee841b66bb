"""The settings name the carrier; one that lacks a setting is not started with."""

from typing import Any

import pytest
from pydantic import SecretStr

from stellwerk.choices import CallProvider
from stellwerk.errors import ConfigurationError
from stellwerk.providers.calls.choice import carriers_callbacks, carriers_trunk
from stellwerk.settings import Settings

TWILIO: dict[str, Any] = {
    "call_provider": CallProvider.TWILIO,
    "twilio_account_sid": "AC1",
    "twilio_auth_token": SecretStr("token"),
}
TELNYX: dict[str, Any] = {
    "call_provider": CallProvider.TELNYX,
    "telnyx_api_key": SecretStr("KEY"),
    "telnyx_connection_id": "123",
}


@pytest.mark.parametrize("fields", [TWILIO, TELNYX])
def test_the_carrier_that_is_named_is_chosen(settings: Settings, fields: dict[str, Any]) -> None:
    trunk = carriers_trunk(settings.model_copy(update=fields))
    assert trunk is not None
    assert trunk.name == fields["call_provider"]


@pytest.mark.parametrize("fields", [TWILIO, TELNYX])
def test_what_a_carrier_lacks_is_named(settings: Settings, fields: dict[str, Any]) -> None:
    for name in fields.keys() - {"call_provider"}:
        empty = type(fields[name])("")
        with pytest.raises(ConfigurationError, match=name.upper()):
            carriers_trunk(settings.model_copy(update=fields | {name: empty}))


def test_only_carriers_that_sign_are_listened_to(settings: Settings) -> None:
    assert carriers_callbacks(settings) == {}
    assert set(carriers_callbacks(settings.model_copy(update=TWILIO))) == {"twilio"}
