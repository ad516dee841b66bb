"""Schema fields that every noun shares."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from marshmallow import ValidationError, fields, validate

from stellwerk.clock import rfc3339

POSTGRES_INT_MAX = 2**31 - 1
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(3000, 1, 1, tzinfo=UTC)
CRON_FIELDS = 5


class Pattern(validate.Validator):
    """All of a text, its last line end included, which `$` alone overlooks in Python.

    Patterns are written as `^...$`, which means the same to clients that read them (ECMA 262).
    """

    def __init__(self, pattern: str, *, error: str = "Does not match the pattern.") -> None:
        self.regex = re.compile(pattern)  # OpenAPI shows an attribute of this name
        self._error = error

    def __call__(self, value: str) -> str:
        """The value; raises ValidationError."""
        if not self.regex.fullmatch(value):
            raise ValidationError(self._error)
        return value


class PlainString(fields.String):
    """Text that Postgres can store: no NUL, no lone surrogates."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValidationError("Contains a character that is not text.")
        return text


class Flag(fields.Boolean):
    """`true` or `false` of JSON, and nothing that only looks like one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        del attr, data, kwargs
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Real(fields.Float):
    """A number of JSON, not one in a text."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Amount(fields.Decimal):
    """The same with decimal places that are exact."""

    def _validated(self, value: Any) -> Decimal:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Identifier(fields.Integer):
    """The id of a row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(1, POSTGRES_INT_MAX), **kwargs)


class Instant(fields.AwareDateTime):
    """A point in time that a client chooses, with its offset from UTC, from 1970 to 2999.

    At the ends of what Postgres and Python can hold each has years that the other cannot read.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        instant: datetime = super()._deserialize(value, attr, data, **kwargs)
        if not EARLIEST <= instant < LATEST:
            raise ValidationError("Not in the years from 1970 to 2999.")
        return instant


class Moment(Instant):
    """A point in time: RFC 3339 in, taken as UTC where it has no offset; UTC with `Z` out."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", default_timezone=UTC, **kwargs)

    def _serialize(
        self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any
    ) -> str | float | None:
        del attr, obj, kwargs
        return rfc3339(value)


class CronExpression(PlainString):
    """Five fields by crontab(5): minute, hour, day of month, month, weekday."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        expression = super()._deserialize(value, attr, data, **kwargs)
        if len(expression.split()) != CRON_FIELDS:
            raise ValidationError("Five fields: minute, hour, day of month, month, weekday.")
        try:
            next(CronSim(expression, datetime.now(UTC)))
        except CronSimError as exc:
            raise ValidationError(f"Not a cron expression: {exc}.") from exc
        except StopIteration as exc:
            raise ValidationError("There is no such day.") from exc
        return expression


class TimeZoneName(PlainString):
    """The name of a time zone in IANA's database."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, attr, data, **kwargs)
        if name not in available_timezones():
            raise ValidationError("Not an IANA time zone, such as Europe/Zurich.")
        return name
