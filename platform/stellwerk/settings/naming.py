"""Names of settings in the environment, and lists of values."""

import json
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field
from pydantic_settings import NoDecode

PREFIX = "STELLWERK_"

Item = TypeVar("Item")


def named(name: str, default: Any, *aliases: str) -> Any:
    """A field that is also read from well-known names without our prefix."""
    choices = AliasChoices(f"{PREFIX}{name.upper()}", *aliases)
    return Field(default=default, validation_alias=choices)


def _split(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("["):
        return json.loads(given)
    return [part.strip() for part in given.split(",") if part.strip()]


Listed = Annotated[tuple[Item, ...], NoDecode, BeforeValidator(_split)]
"""Several values, with commas between or as JSON."""
