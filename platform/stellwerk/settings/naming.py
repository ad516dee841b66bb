"""Names of settings in the environment."""

from typing import Any

from pydantic import AliasChoices, Field

PREFIX = "STELLWERK_"


def named(name: str, default: Any, *aliases: str) -> Any:
    """A field that is also read from well-known names without our prefix."""
    choices = AliasChoices(f"{PREFIX}{name.upper()}", *aliases)
    return Field(default=default, validation_alias=choices)
