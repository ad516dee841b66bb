"""Which spoken language a BCP 47 tag means."""

import re
from collections.abc import Collection

from stellwerk.errors import FieldError, InvalidInput

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")


def spoken_language(tag: str, languages: Collection[str]) -> str:
    """The primary language of `tag` (`de-CH` is `de`), if it is one of `languages`.

    Raises InvalidInput naming the field `language` where it is not, or where `tag` is no
    language tag at all (RFC 5646).
    """
    language = tag.partition("-")[0].lower()
    if _TAG.fullmatch(tag) and language in languages:
        return language
    spoken = ", ".join(sorted(languages))
    message = f"There is no voice for the language {tag!r}; there is one for: {spoken}."
    raise InvalidInput(
        message,
        errors=[FieldError("language", message)],
        details={"languages": sorted(languages)},
    )
