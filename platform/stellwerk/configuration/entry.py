"""One thing that can be configured while the platform runs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from stellwerk.errors import FieldError, InvalidInput

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Entry(Generic[Value]):
    """One thing that can be configured; `kind` is what its JSON is checked against."""

    name: str
    kind: Any
    default: Any  # as JSON
    description: str
    unit: str = ""

    @cached_property
    def _adapter(self) -> TypeAdapter[Value]:
        return TypeAdapter(self.kind)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of a value: its type and its bounds."""
        return self._adapter.json_schema()

    def parse(self, value: Any, place: str = "value") -> Value:
        """The value as it is used; raises InvalidInput, with fields below `place`."""
        try:
            return self._adapter.validate_json(orjson.dumps(value), strict=True)
        except ValidationError as exc:
            wrong = [
                FieldError(".".join([place, *map(str, error["loc"])]), error["msg"])
                for error in exc.errors(include_input=False)
            ]
            raise InvalidInput(f"{self.name} cannot have this value.", errors=wrong) from exc
