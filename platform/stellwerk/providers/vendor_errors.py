"""What a vendor's HTTP answer means to us: later, or never."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from stellwerk.errors import ProviderError, ProviderRejected, ProviderUnavailable

LATER = frozenset({408, 409, 425, 429})
SERVER_ERRORS_FROM = 500
MESSAGE_AT_MOST = 300


def provider_error(
    vendor: str, status: int, *, message: str, headers: Mapping[str, str]
) -> ProviderError:
    """The error for an HTTP status: 408, 409, 425, 429 and 5xx may work later, others never."""
    text = f"{vendor} answered {status}: {message[:MESSAGE_AT_MOST]}"
    if status in LATER or status >= SERVER_ERRORS_FROM:
        return ProviderUnavailable(text, retry_after_s=retry_after_s(headers))
    return ProviderRejected(text)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that `Retry-After` asks for, given as seconds or as a date (RFC 9110, 10.2.3)."""
    value = {name.lower(): text for name, text in headers.items()}.get("retry-after", "")
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:  # `-0000`: in UTC, from nobody knows where (RFC 5322, 3.3)
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
