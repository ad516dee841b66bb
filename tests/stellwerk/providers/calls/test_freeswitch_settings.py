"""What a FreeSWITCH is by the settings, and how its gateways are by what it answers."""

import asyncio

import pytest

from listening import listening
from recorded_calls import socket_at
from stellwerk.errors import ConfigurationError
from stellwerk.providers.calls.freeswitch.dial_strings import DialPlan
from stellwerk.providers.calls.freeswitch.gateways import is_up
from stellwerk.providers.calls.freeswitch.trunk import FreeSwitchTrunk
from stellwerk.providers.calls.protocol import TrunkHealth
from stellwerk.providers.choice import choose_providers
from stellwerk.settings import load_settings
from stellwerk.stack.switch.exchange import Options
from stellwerk.stack.switch.server import serving

CONSOLE = "Name    \ttrunk\nState   \tNOREG\nStatus  \t{} (ping)\nUptime  \t4s\n"
XML = "<gateway>\n  <name>trunk</name>\n  <state>NOREG</state>\n  <status>{}</status>\n</gateway>"


@pytest.mark.parametrize("form", [CONSOLE, XML])
def test_a_gateway_takes_calls_where_its_status_is_up(form: str) -> None:
    assert is_up(form.format("UP"))
    assert not is_up(form.format("DOWN"))


@pytest.mark.parametrize("answer", ["Invalid Gateway!\n", "-ERR no reply\n", "", "State   \tUP\n"])
def test_a_gateway_that_is_not_there_takes_none(answer: str) -> None:
    assert not is_up(answer)


async def health_of(gateway: str) -> TrunkHealth:
    async with serving(Options(password="ClueCon")) as switch:
        trunk = FreeSwitchTrunk(socket_at(switch.port), DialPlan(gateway), dials_per_s=10)
        async with listening(trunk):
            return await trunk.check()


@pytest.mark.parametrize(
    ("gateway", "is_usable"), [("trunk", True), ("downtrunk", False), ("nosuchtrunk", False)]
)
def test_the_health_of_a_trunk_is_that_of_its_gateway(gateway: str, is_usable: bool) -> None:  # noqa: FBT001  a row of the table
    health = asyncio.run(health_of(gateway))
    assert health.is_connected
    assert health.gateways == {gateway: is_usable}
    assert (gateway in health.message) != is_usable


def test_without_a_host_there_is_no_switch() -> None:
    assert choose_providers(load_settings(esl_host="")).trunk is None


def test_a_switch_is_chosen_by_its_host_and_needs_its_password() -> None:
    given = {"esl_host": "192.0.2.1", "esl_password": "secret", "calls_per_s": 7}
    trunk = choose_providers(load_settings(**given)).trunk
    assert trunk is not None
    assert (trunk.name, trunk.dials_per_s) == ("freeswitch", 7)
    assert "secret" not in repr(vars(trunk))
    with pytest.raises(ConfigurationError, match="ESL_PASSWORD"):
        choose_providers(load_settings(esl_host="192.0.2.1", esl_password=""))
