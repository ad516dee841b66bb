"""Which addresses may be called: public ones, and networks that the operator lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_UNICAST = ip_network("2000::/3")  # RFC 4291, 2.4: all that IANA has given out
# Special purpose, by IANA's registries, beyond what every Python's `is_global` knows of.
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier-grade NAT
        "168.63.129.16/32",  # a metadata service on an address that looks public
        "192.0.0.0/24",
        "192.88.99.0/24",
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address in another coat
        "3fff::/20",
    )
)


@dataclass(frozen=True, slots=True)
class AddressRules:
    """`allowed` networks may be called although they are not public."""

    allowed: Sequence[Network] = ()

    def permits(self, address: Address) -> bool:
        """Whether a connection to the address may be opened."""
        meant = _meant(address)
        return any(meant in network for network in self.allowed) or _is_public(meant)


def parsed(text: str) -> Address:
    """An address as the resolver writes it; raises ValueError."""
    return ip_address(text.partition("%")[0])


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC)
