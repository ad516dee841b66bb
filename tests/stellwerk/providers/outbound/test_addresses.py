"""What is public may be called, and nothing else unless it is listed."""

from ipaddress import ip_network

import pytest

from stellwerk.providers.outbound.addresses import AddressRules, parsed

PUBLIC = ("8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
NOT_PUBLIC = {
    "loopback": "127.0.0.1",
    "loopback elsewhere": "127.8.9.10",
    "private 10": "10.0.0.1",
    "private 172": "172.16.0.1",
    "private 192": "192.168.1.1",
    "link-local and metadata": "169.254.169.254",
    "metadata that looks public": "168.63.129.16",
    "metadata in NAT space": "100.100.100.200",
    "carrier-grade NAT": "100.64.0.1",
    "this network": "0.0.0.0",  # noqa: S104  not listened on
    "this network too": "0.1.2.3",
    "protocol assignments": "192.0.0.8",
    "a document's": "203.0.113.1",
    "benchmarks": "198.18.0.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 unique local": "fd00::1",
    "IPv6 metadata": "fd00:ec2::254",
    "IPv6 link-local": "fe80::1",
    "IPv6 link-local with a zone": "fe80::1%eth0",
    "IPv6 site-local": "fec0::1",
    "IPv6 multicast": "ff02::1",
    "IPv6 document's": "2001:db8::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped private": "::ffff:10.0.0.1",
    "mapped metadata": "::ffff:169.254.169.254",
    "compatible loopback": "::127.0.0.1",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "NAT64 of a private network": "64:ff9b::a00:1",
    "local NAT64": "64:ff9b:1::1",
    "6to4 of loopback": "2002:7f00:1::1",
    "Teredo": "2001:0:7f00:1::1",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str) -> None:
    assert AddressRules().permits(parsed(address))


@pytest.mark.parametrize("address", NOT_PUBLIC.values(), ids=NOT_PUBLIC.keys())
def test_an_address_that_is_not_public_may_not_be_called(address: str) -> None:
    assert not AddressRules().permits(parsed(address))


def test_a_listed_network_may_be_called_in_any_coat_and_its_neighbour_may_not() -> None:
    rules = AddressRules((ip_network("10.1.0.0/16"), ip_network("fd00::/32")))
    assert rules.permits(parsed("10.1.2.3"))
    assert rules.permits(parsed("::ffff:10.1.2.3"))
    assert rules.permits(parsed("fd00::7"))
    assert not rules.permits(parsed("10.2.0.1"))
