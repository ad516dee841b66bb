"""Telephone numbers and e-mail addresses as they may stand in logs."""

import re
from collections.abc import MutableMapping
from typing import Any

HIDDEN = "•••"
# Fields of log lines that hold nothing else.
PERSONAL = frozenset(
    {
        "callee",
        "caller_id",
        "caller_number",
        "email",
        "email_address",
        "emails",
        "number",
        "numbers",
        "phone",
        "phone_number",
        "recipient",
        "recipients",
        "sender",
        "to_number",
        "from_number",
    }
)
# Fields that may: in these, and in free text, only what looks like one is masked.
FREE = frozenset({"event", "exception", "reason", "error", "message", "to", "from"})

_EMAIL = re.compile(r"(?<![\w.+-])([\w.+-])[\w.+-]*@([\w-]+(?:\.[\w-]+)+)")
_NUMBER = re.compile(r"\+\d(?:[ ()/.-]{0,2}\d){6,14}(?!\d)")
# Without a plus: as dialled abroad (00) or at home (0), in groups or not. Parts of words, ids,
# times, dates and fractions are none; sizes, ports and epochs begin with another digit.
_DIALLED = re.compile(
    r"(?<![\w.+-])(?<!\d[,:/])(?!\d\d([/-])\d\d\1(?:\d\d){1,2}(?!\d))"
    r"\(?(?:00[ ]?|0)[1-9](?:[ ()/-]{0,2}\d){6,14}(?![\w%]|[.:/-]\w)"
)
# However it is written, where only one can stand.
_CALLED = re.compile(r"(\b(?:sips?:|tel:|loopback/|gateway/[^/\s]+/))(\d{4,})")
_LONG, _SHORT = 10, 7  # digits, at least


def masked_number(number: str) -> str:
    """`+493012345567` as `+4930•••567`; less is left of a shorter one, of a short one nothing."""
    digits = re.sub(r"\D", "", number)
    plus = "+" if number.lstrip().startswith("+") else ""
    if len(digits) >= _LONG:
        return f"{plus}{digits[:4]}{HIDDEN}{digits[-3:]}"
    if len(digits) >= _SHORT:
        return f"{plus}{digits[:2]}{HIDDEN}{digits[-2:]}"
    return HIDDEN


def masked_email(address: str) -> str:
    """`ada@example.com` as `a•••@example.com`; what is no address is hidden altogether."""
    local, at, domain = address.strip().rpartition("@")
    return f"{local[:1]}{HIDDEN}@{domain}" if at else HIDDEN


def masked(value: Any) -> Any:
    """What a field that holds nothing else is logged as: text by its kind, and lists of it."""
    if isinstance(value, str):
        if "@" in value:
            return masked_email(value)
        return masked_number(value) if value else value
    if isinstance(value, list | tuple | set):
        return [masked(one) for one in value]
    if isinstance(value, dict):
        return {name: masked(one) for name, one in value.items()}
    return value if value is None or isinstance(value, bool) else masked_number(str(value))


def masked_text(text: str) -> str:
    """Free text with the addresses in it masked, and what looks like a telephone number."""
    if "@" in text:
        text = _EMAIL.sub(rf"\1{HIDDEN}@\2", text)
    if "+" in text:
        text = _NUMBER.sub(lambda found: masked_number(found[0]), text)
    text = _CALLED.sub(lambda found: found[1] + masked_number(found[2]), text)
    if "0" in text:
        text = _DIALLED.sub(lambda found: masked_number(found[0]), text)
    return text


def mask_personal(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> Any:
    """A processor of structlog: nobody's number or address in full, whoever logs it."""
    for name in line.keys() & PERSONAL:
        line[name] = masked(line[name])
    for name in line.keys() & FREE:
        value = line[name]
        if isinstance(value, str):
            line[name] = masked_text(value)
    return line
