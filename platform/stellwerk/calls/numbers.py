"""Telephone numbers as people write them, to E.164; and which of them are called."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from stellwerk.configuration.calling import ALLOWED, CALLER_IDS, DENIED, PREMIUM
from stellwerk.configuration.present import Configuration
from stellwerk.errors import FieldError, InvalidInput

# Digits of ASCII alone, and what people set between them: no letters, no other scripts' digits,
# nothing that a dial string or a header would read.
WRITTEN = r"^\+?[0-9(][0-9 ()./-]{1,38}$"

_WRITTEN = re.compile(WRITTEN)


class Number(NamedTuple):
    """A number in E.164, and where it belongs: ISO 3166, or 001 for no country."""

    e164: str
    region: str | None


def number(written: str, region: str, field: str) -> Number:
    """The number; raises InvalidInput naming the field, and never the number."""
    if not _WRITTEN.fullmatch(written):
        raise _wrong(field, "Only digits, a leading + and spaces, ( ) . / - between them.")
    try:
        parsed = phonenumbers.parse(written, region)
    except NumberParseException as exc:
        raise _wrong(field, "Not a telephone number.") from exc
    if not phonenumbers.is_valid_number(parsed) or parsed.extension:
        reason = f"No such number exists; without a country code it is one of {region}."
        raise _wrong(field, reason)
    e164 = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    return Number(e164, phonenumbers.region_code_for_number(parsed))


def ensure_callable(wanted: Number, configuration: Configuration, field: str) -> None:
    """Raise InvalidInput for a number that is not called from here."""
    allowed = _fitting(wanted.e164, configuration[ALLOWED])
    denied = _fitting(wanted.e164, configuration[DENIED])
    if len(denied) >= len(allowed) and denied:
        raise _wrong(field, f"Numbers that begin with {denied} are not called from here.")
    if configuration[ALLOWED] and not allowed:
        raise _wrong(field, "Numbers of this country or network are not called from here.")
    if _is_premium(wanted.e164) and not configuration[PREMIUM]:
        raise _wrong(field, "Premium rate numbers are not called from here.")


def ensure_shown(shown: Number, configuration: Configuration, own: str, field: str) -> None:
    """Raise InvalidInput for a number that nobody may have shown; `own`: the trunk's, if known."""
    if shown.e164 != own and not _fitting(shown.e164, configuration[CALLER_IDS]):
        reason = "Not one of the numbers that may be shown (calls.caller_ids): leave it out."
        raise InvalidInput("This number is not shown.", errors=[FieldError(field, reason)])


def _fitting(e164: str, prefixes: Sequence[str]) -> str:
    return max((one for one in prefixes if e164.startswith(one)), key=len, default="")


def _is_premium(e164: str) -> bool:
    kind = phonenumbers.number_type(phonenumbers.parse(e164))
    return kind == PhoneNumberType.PREMIUM_RATE


def _wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput("This number is not called.", errors=[FieldError(field, reason)])
