"""The fields of an index's entry and of a module's `module.json`, and their rules.

Unknown fields are ignored: newer packers may say more than this release understands.
"""

import re
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from stellwerk.fields import Pattern, PlainString, Real
from stellwerk.module_names import NAME_RULE, is_name
from stellwerk.providers.repositories.versions import dependency, is_version
from stellwerk.providers.services.protocol import HealthCheck

ARCHIVE = r"^[A-Za-z0-9][A-Za-z0-9._+!-]{0,190}\.tar\.gz$"
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
HEALTH = HealthCheck()
TEXT_AT_MOST = 4096  # characters
LIST_AT_MOST = 100
_PORTS = validate.Range(1, 65535)


class _Ignoring(Schema):
    class Meta:
        unknown = EXCLUDE


def _named(value: str) -> None:
    if not is_name(value):
        raise ValidationError(f"{value[:80]!r} is no name for a module: {NAME_RULE}")


def _version(value: str) -> None:
    if not is_version(value):
        raise ValidationError(f"{value[:80]!r} is no version as of PEP 440 or semver.")


def _dependency(value: str) -> None:
    try:
        dependency(value)
    except ValueError as exc:
        raise ValidationError(f"{exc}.") from exc


def _variables(value: dict[str, str]) -> None:
    for name in value:
        if not VARIABLE.fullmatch(name):
            raise ValidationError(f"{name[:80]!r} is no name for a variable.")


def _text(at_most: int, at_least: int = 0, **kwargs: Any) -> PlainString:
    return PlainString(validate=validate.Length(at_least, at_most), **kwargs)


def _command(**kwargs: Any) -> fields.List[Any]:
    words = _text(TEXT_AT_MOST, 1)
    return fields.List(words, validate=validate.Length(0, LIST_AT_MOST), **kwargs)


def _seconds(default: float, least: float = 0.1) -> Real:
    return Real(load_default=default, validate=validate.Range(least, 3600))


def _count(least: int, most: int, **kwargs: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(least, most), **kwargs)


class HealthCheckSchema(_Ignoring):
    """How it shows that a module is well; in seconds."""

    path = PlainString(
        load_default=HEALTH.path,
        validate=Pattern(r"^/[!-~]{0,500}$", error="Has to start with / and hold no spaces."),
    )
    command = _command(load_default=list)
    interval_s = _seconds(HEALTH.interval_s)
    timeout_s = _seconds(HEALTH.timeout_s)
    retries = _count(1, 100, load_default=HEALTH.retries)
    start_period_s = _seconds(HEALTH.start_period_s, least=0)


class LimitsSchema(_Ignoring):
    """What an instance may take; the installation's own limits hold where these are larger."""

    memory_mb = _count(1, 2**20, load_default=None, allow_none=True)
    cpus = Real(
        load_default=None, allow_none=True, validate=validate.Range(0, 1024, min_inclusive=False)
    )
    processes = _count(1, 2**20, load_default=None, allow_none=True)


class ManifestSchema(_Ignoring):
    """`module.json`: what the author of a module says about it."""

    name = PlainString(required=True, validate=_named)
    version = PlainString(required=True, validate=_version)
    category = _text(50, 1, required=True)
    description = _text(2000, required=True)
    command = _command(load_default=list)
    image = PlainString(
        load_default="",
        validate=Pattern(r"^[!-~]{0,255}$", error="Is no reference of an image."),
    )
    healthcheck = fields.Nested(
        HealthCheckSchema, load_default=lambda: HealthCheckSchema().load({})
    )
    dependencies = fields.List(
        PlainString(validate=_dependency),
        load_default=list,
        validate=validate.Length(0, LIST_AT_MOST),
    )
    environment = fields.Dict(
        keys=PlainString(),
        values=_text(TEXT_AT_MOST),
        load_default=dict,
        validate=[validate.Length(0, LIST_AT_MOST), _variables],
    )
    limits = fields.Nested(LimitsSchema, load_default=lambda: LimitsSchema().load({}))
    ports = fields.List(
        fields.Integer(strict=True, validate=_PORTS), validate=validate.Length(0, LIST_AT_MOST)
    )

    @validates_schema
    def _is_runnable(self, data: dict[str, Any], **_: Any) -> None:
        if not data.get("command") and not data.get("image"):
            raise ValidationError("Needs a command or an image.", "command")


class EntrySchema(ManifestSchema):
    """The same with the archive, as an index has it."""

    rules: ClassVar = {"file": "Is not NAME.tar.gz.", "sha256": "Is not 64 hexadecimal digits."}

    file = PlainString(required=True, validate=Pattern(ARCHIVE, error=rules["file"]))
    sha256 = PlainString(required=True, validate=Pattern(r"^[0-9a-f]{64}$", error=rules["sha256"]))
    size = _count(1, 2**40, required=True)
    signature = _text(200, load_default=None, allow_none=True)
