"""Results of jobs, and the JSON Schema that the catalogue gives of them."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # no stubs

from stellwerk.bootstrap import registry
from stellwerk_api.operations.catalogue import catalogue


def assert_result_fits(job: Mapping[str, Any]) -> None:
    """The result of a job's document has every property of its schema, and no other."""
    schema = catalogue(registry()).entry(job["operation"])["result_schema"]
    Draft202012Validator(schema).validate(job["result"])
    assert set(job["result"]) == set(schema["properties"])
