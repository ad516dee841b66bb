"""The language of mails that a request leads to."""

from flask import request

LANGUAGES = ("en", "de")


def wanted_language() -> str:
    """What its `Accept-Language` asks for, where there are letters in it; else English."""
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]
