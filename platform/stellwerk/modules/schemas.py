"""Payloads and results of the operations on modules."""

from enum import StrEnum
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from stellwerk.fields import Identifier, Pattern, PlainString
from stellwerk.modules.names import INSTANCE_ID, NAME_RULE, RESERVED, is_name

VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
OURS = frozenset({"PORT", "HOST", "DATA_DIR", "MODULE_NAME", "MODULE_VERSION", "INSTANCE_ID"})
MOST_VARIABLES = 200
TWICE = "Stands in `environment` and in `secrets`."


class Data(StrEnum):
    """What becomes of an instance's data when it is removed."""

    KEEP = "keep"
    DROP = "drop"


def module_name(**options: object) -> PlainString:
    """The name of a module, checked."""
    return PlainString(
        required=True,
        validate=[validate.Length(1, 40), _callable],
        metadata={"description": NAME_RULE, "example": "clock", **options},
    )


def _callable(name: str) -> None:
    if not is_name(name):
        reserved = name.lower() in RESERVED
        raise ValidationError("Is an address of the platform." if reserved else NAME_RULE)


def instance_id(*, required: bool = True) -> PlainString:
    """The id of an instance, checked."""
    check = Pattern(INSTANCE_ID, error="Must be 32 hexadecimal digits, in small letters.")
    told = {"example": "0" * 31 + "1"}
    return PlainString(required=required, validate=check, metadata=told)


def version() -> PlainString:
    """A version that is asked for; without it the newest is meant."""
    return PlainString(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 100),
        metadata={"description": "Without it the newest.", "example": "1.0.0"},
    )


def _repository() -> Identifier:
    told = {"description": "Without it the first that has it, where all of them agree."}
    return Identifier(load_default=None, allow_none=True, metadata=told)


def _is_ours(name: str) -> None:
    if name in OURS:
        raise ValidationError("Is set by the platform.")


def variables(*, removable: bool = False, **options: Any) -> fields.Dict:
    """Variables of a module's environment; where they are `removable`, with null."""
    return fields.Dict(
        keys=PlainString(validate=[Pattern(VARIABLE), _is_ours]),
        values=PlainString(validate=validate.Length(max=32_768), allow_none=removable),
        validate=validate.Length(max=MOST_VARIABLES),
        **options,
    )


def _data() -> fields.Enum[Data]:
    told = {"description": "Kept data stay in the folder of modules, below .kept."}
    return fields.Enum(Data, by_value=True, load_default=Data.KEEP, metadata=told)


class _Variables(Schema):
    """What an instance is given; what is secret is sealed, and never shown again."""

    environment = variables(load_default=dict)
    secrets = variables(load_default=dict, metadata={"description": "Sealed, and never shown."})

    @validates_schema
    def _refuse_twice(self, payload: dict[str, Any], **_: Any) -> None:
        environment, secrets = (payload.get(name, {}) for name in ("environment", "secrets"))
        both = sorted(set(environment) & set(secrets))
        if both:
            raise ValidationError({"secrets": {name: [TWICE] for name in both}})
        if len(environment) + len(secrets) > MOST_VARIABLES:
            message = f"An instance has at most {MOST_VARIABLES} variables."
            raise ValidationError(message, "environment")


class InstallPayload(_Variables):
    """What is installed: with what it depends on, which comes first."""

    module_name = module_name()
    repository_id = _repository()
    version = version()


class UpdatePayload(Schema):
    """Which version an installed module becomes."""

    module_name = module_name()
    repository_id = _repository()
    version = version()


class UninstallPayload(Schema):
    """What is removed, with all of its instances."""

    module_name = module_name()
    data = _data()


class InstallInstancePayload(_Variables):
    """Of which module there is one more instance."""

    module_name = module_name()


class InstancePayload(Schema):
    """An instance."""

    module_name = module_name()
    instance_id = instance_id()


class RemoveInstancePayload(InstancePayload):
    """Which instance is removed."""

    data = _data()


class SyncPayload(Schema):
    """Which repository's index is read."""

    repository_id = Identifier(required=True)


class NoPayload(Schema):
    """Nothing is asked for."""


class InstalledResult(Schema):
    """What is there now."""

    module_name = fields.String()
    version = fields.String()
    instance_id = fields.String()
    frontend_url = fields.String()
    dependencies = fields.List(fields.String(), metadata={"description": "Installed before it."})


class UpdatedResult(Schema):
    """What runs now."""

    module_name = fields.String()
    from_version = fields.String()
    version = fields.String()
    instances = fields.Integer()


class RemovedResult(Schema):
    """What is gone; `kept` are the folders of data that are not."""

    module_name = fields.String()
    instances = fields.List(fields.String())
    kept = fields.List(fields.String())


class InstanceResult(Schema):
    """An instance, as it is now."""

    module_name = fields.String()
    instance_id = fields.String()
    status = fields.String()


class SyncedResult(Schema):
    """What a repository's index has."""

    repository_id = fields.Integer()
    modules = fields.Integer()
    changed = fields.Boolean()


class ReconciledResult(Schema):
    """What was found, and done about it; `orphans` are services and folders nobody wrote down."""

    instances = fields.Integer()
    changed = fields.Integer()
    started = fields.List(fields.String())
    failed = fields.List(fields.String())
    orphans = fields.List(fields.String())
