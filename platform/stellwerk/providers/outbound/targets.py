"""The form a URL must have before anybody asks where its host is."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stellwerk.errors import ErrorCode, ProviderRejected

if TYPE_CHECKING:
    from urllib3.util import Url

LONGEST_URL = 2048  # characters

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class TargetRules:
    """`ports` that may be called; empty: any. `allow_http`: without TLS, too."""

    allow_http: bool = True
    ports: Collection[int] = ()

    def checked(self, url: str) -> "Url":
        """The parsed URL; raises ProviderRejected (TARGET_NOT_ALLOWED), saying what is wrong."""
        parsed = _parsed(url)
        schemes = ("http", "https") if self.allow_http else ("https",)
        if parsed.scheme not in schemes:
            raise refused(f"The URL has to start with {' or '.join(schemes)}.")
        if not parsed.host:
            raise refused("The URL names no host.")
        if parsed.auth is not None:
            raise refused("The URL holds a user name or a password.")
        if self.ports and port_of(parsed) not in self.ports:
            raise refused(f"Port {port_of(parsed)} may not be called.")
        return parsed


def port_of(url: "Url") -> int:
    """The port a URL leads to."""
    return url.port or _DEFAULT_PORTS[url.scheme or "http"]


def refused(message: str) -> ProviderRejected:
    """The refusal of a target: final, since it is the URL that has to change."""
    return ProviderRejected(message, code=ErrorCode.TARGET_NOT_ALLOWED)


def _parsed(url: str) -> "Url":
    from urllib3.exceptions import LocationParseError  # noqa: PLC0415  slow to import
    from urllib3.util import parse_url  # noqa: PLC0415  slow to import

    if len(url) > LONGEST_URL:
        raise refused(f"The URL is longer than {LONGEST_URL} characters.")
    if any(letter <= " " or letter in '\\"<>\x7f' for letter in url):
        raise refused("The URL holds a space, a backslash or another letter that no URL has.")
    try:
        return parse_url(url)
    except LocationParseError as exc:
        raise refused("This is not a URL.") from exc
