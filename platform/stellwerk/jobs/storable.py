"""What others say, made fit for Postgres."""

from typing import Any


def storable(message: str) -> str:
    """Text that Postgres takes: no NUL, no lone surrogates."""
    return message.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def storable_json(value: Any) -> Any:
    """JSON that Postgres takes: the same of every text in it."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(name)): storable_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(inner) for inner in value]
    return value
