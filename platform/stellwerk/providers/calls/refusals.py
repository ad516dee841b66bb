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

NOW_NOT = 503


def order_error(
    vendor: str, status: int, *, message: str, headers: Mapping[str, str]
) -> ProviderError:
    """The error for the HTTP status of an order to dial.

    A fault of the server leaves in doubt whether it had begun; only where it says when to send the
    order again (RFC 9110, 10.2.3) it did nothing.
    """
    text = f"{vendor} answered {status}: {message[:MESSAGE_AT_MOST]}"
    wait_s = retry_after_s(headers)
    if status in LATER or (status == NOW_NOT and wait_s is not None):
        return ProviderDeferred(text, retry_after_s=wait_s)
    if status >= SERVER_ERRORS_FROM:
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
