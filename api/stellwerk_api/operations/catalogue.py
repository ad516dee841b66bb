"""What the platform can do, from the operations' declarations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from stellwerk.errors import ErrorCode, NotFound
from stellwerk.identity.caller import Caller
from stellwerk.jobs.operation import Operation, Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every operation as JSON, made once per process."""

    entries: Mapping[str, dict[str, Any]]
    internal: frozenset[str]

    def listed(self, reader: Caller) -> list[dict[str, Any]]:
        """Every operation, but for internal ones that the reader may not submit."""
        return [
            entry
            for name, entry in self.entries.items()
            if name not in self.internal or reader.may(entry["permission"])
        ]

    def entry(self, name: str) -> dict[str, Any]:
        """One operation; raises NotFound (OPERATION_UNKNOWN)."""
        if name not in self.entries:
            message = f"There is no operation {name[:80]!r}."
            raise NotFound(message, code=ErrorCode.OPERATION_UNKNOWN)
        return self.entries[name]


def catalogue(registry: Registry) -> Catalogue:
    """The catalogue of a registry."""
    schemas = JsonSchemas()
    return Catalogue(
        entries={operation.name: _entry(operation, schemas) for operation in registry},
        internal=registry.internal,
    )


class JsonSchemas:
    """JSON Schema (2020-12) of marshmallow schemas, nested ones written out in place."""

    def __init__(self) -> None:
        plugin = MarshmallowPlugin(schema_name_resolver=lambda _: "")
        APISpec("", "", "3.1.0", plugins=[plugin])  # gives the plugin its converter
        self._plugin = plugin

    def of(self, schema: type[Schema] | None) -> dict[str, Any] | None:
        """The JSON Schema; unknown properties are refused, as in requests."""
        if schema is None or self._plugin.converter is None:
            return None
        made = self._plugin.converter.schema2jsonschema(schema())  # type: ignore[no-untyped-call]  # apispec
        return {"$schema": DIALECT, **made, "additionalProperties": False}


def _entry(operation: Operation, schemas: JsonSchemas) -> dict[str, Any]:
    retry = operation.retry
    return {
        "name": operation.name,
        "version": operation.version,
        "summary": operation.summary,
        "queue": operation.queue,
        "permission": operation.permission,
        "scope": operation.scope.value,
        "limits": {
            "time_limit_s": operation.time_limit_s,
            "max_running": operation.max_running,
            "max_share": operation.max_share,
            "max_running_per_owner": operation.max_running_per_owner,
            "rate_class": operation.rate_class.value if operation.rate_class else None,
        },
        "retry": {
            "max_attempts": retry.max_attempts,
            "base_s": retry.base_s,
            "max_s": retry.max_s,
            "delays_s": list(retry.delays_s),
        },
        "is_paid": operation.estimate_eur is not None,
        "steps": [{"name": step.name, "weight": step.weight} for step in operation.steps],
        "payload_schema": schemas.of(operation.payload),
        "result_schema": schemas.of(operation.result),
    }
