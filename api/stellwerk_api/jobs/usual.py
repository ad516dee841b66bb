"""The usual request for a job: an operation and a payload, and nothing that needs a schema.

Its schema would only give it defaults, at a tenfold cost that a thousand of them feel.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from marshmallow import Schema, fields

LONGEST_NAME = 80  # of an operation

_MEMBERS = frozenset({"operation", "payload"})


def is_usual(body: Any) -> bool:
    """Whether a schema of requests would take this JSON as it is."""
    if type(body) is not dict or body.keys() != _MEMBERS:
        return False
    name = body["operation"]
    return type(name) is str and 0 < len(name) <= LONGEST_NAME and type(body["payload"]) is dict


def defaults_of(schema: Schema) -> Mapping[str, Any]:
    """What a schema of requests gives to a usual one; to be read only."""
    filled: Mapping[str, Any] = schema.load({"operation": "any", "payload": {}})
    return filled


class Requests(fields.List[Any]):
    """Many requests, of which each is `fields.Nested`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and all(map(is_usual, value)):
            return [{**self._defaults, **one} for one in value]
        read: list[Any] = super()._deserialize(value, attr, data, **kwargs)
        return read

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        return defaults_of(self.inner.schema)  # type: ignore[attr-defined]  # that of Nested
