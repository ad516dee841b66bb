"""What a carrier's answer to an order means: done nothing, never, or nobody knows."""

from collections.abc import Mapping

from stellwerk.errors import ProviderDeferred, ProviderError, ProviderRejected, ProviderUnavailable
from stellwerk.masking import masked_number, masked_text
from stellwerk.providers.calls.protocol import Dial
from stellwerk.providers.vendor_errors import (
    LATER,
    MESSAGE_AT_MOST,
    SERVER_ERRORS_FROM,
    provider_error,
    retry_after_s,
)

# Turned away before the order was looked at: too many at once (RFC 6585, 4), too early (RFC 8470).
TURNED_AWAY = frozenset({425, 429})
REFUSED_FROM = 400  # what points elsewhere says nothing of the order (RFC 9110, 15.4)


def order_error(
    vendor: str, status: int, *, message: str, headers: Mapping[str, str]
) -> ProviderError:
    """The error for the HTTP status of an order to dial.

    A fault of the server, a conflict and a time that was over leave in doubt whether it had begun,
    whatever they say of when to ask again: what stands before the server may say so.
    """
    text = f"{vendor} answered {status}: {message[:MESSAGE_AT_MOST]}"
    if status in TURNED_AWAY:
        return ProviderDeferred(text, retry_after_s=retry_after_s(headers))
    if status < REFUSED_FROM or status in LATER or status >= SERVER_ERRORS_FROM:
        return ProviderUnavailable(text)
    return ProviderRejected(text)


def question_error(
    vendor: str, status: int, *, message: str, headers: Mapping[str, str]
) -> ProviderUnavailable:
    """The error for the HTTP status of anything else: whatever it is, it says nothing of a call."""
    error = provider_error(vendor, status, message=message, headers=headers)
    return ProviderUnavailable(error.message, retry_after_s=error.retry_after_s)


def without_numbers(text: str, dial: Dial | None = None) -> str:
    """A vendor's words with all numbers masked, those of the call without their plus too."""
    for number in (dial.to, dial.first, dial.caller_id) if dial else ():
        if number:
            text = text.replace(number.lstrip("+"), masked_number(number).lstrip("+"))
    return masked_text(text)
