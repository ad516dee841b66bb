"""Whose address counts: only our edge, and proxies we trust, may name another than the sender's."""

import pytest

from stellwerk.settings import load_settings
from stellwerk_api.forwarded import Origins

CLIENT = "198.51.100.7"
OUTER = "203.0.113.9"
EDGE = "127.0.0.1"


@pytest.fixture(scope="module")
def origins() -> Origins:
    settings = load_settings(trusted_proxies=f"{OUTER}/32, 2001:db8::/64")
    return Origins(settings.edge_networks, settings.trusted_proxies)


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (CLIENT, CLIENT),
        (f"{CLIENT}, {OUTER}", CLIENT),
        (f"6.6.6.6, {CLIENT}, {OUTER}", CLIENT),
        (f"6.6.6.6,{CLIENT}", CLIENT),
        (f"{CLIENT},2001:db8::5,{OUTER}", CLIENT),
        (f"{CLIENT}:4711", CLIENT),
        ("[2001:db8:1::7]:4711", "2001:db8:1::7"),
        (f"::ffff:{CLIENT}", CLIENT),
        (f"nonsense, {OUTER}", OUTER),
        (OUTER, OUTER),
    ],
)
def test_the_last_address_that_is_no_trusted_proxys_is_the_clients(
    origins: Origins, chain: str, client: str
) -> None:
    assert origins.of(EDGE, chain) == client


@pytest.mark.parametrize("peer", ["192.0.2.1", CLIENT, OUTER, "", "unix"])
def test_nobody_but_the_edge_names_another_address(origins: Origins, peer: str) -> None:
    assert origins.of(peer, "6.6.6.6") is None


@pytest.mark.parametrize("chain", ["", "nonsense", "1.2.3", "<script>"])
def test_what_is_no_address_names_nobody(origins: Origins, chain: str) -> None:
    assert origins.of(EDGE, chain) is None
