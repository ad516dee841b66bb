"""Fields of query strings, where everything is text: it is taken as written, or refused."""

import re
from typing import Any

from marshmallow import fields
from webargs.fields import DelimitedList

_WHOLE = re.compile(r"-?[0-9]{1,30}")
_FLAGS = {"true": True, "false": False}


class QueryInteger(fields.Integer):
    """Decimal digits, after a minus where it is negative."""

    def _validated(self, value: Any) -> int:
        if not _WHOLE.fullmatch(str(value)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class QueryFlag(fields.Boolean):
    """`true` or `false`, in upper or lower case."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        del attr, data, kwargs
        flag = _FLAGS.get(str(value).lower())
        if flag is None:
            raise self.make_error("invalid", input=value)
        return flag


class SeveralOf(DelimitedList):
    """`?status=failed,completed`, or `?status=failed&status=completed`; one at least."""

    is_multiple = True  # webargs then hands over every value of the parameter

    def _deserialize(self, value: list[str], attr: str | None, data: Any, **options: Any) -> Any:
        joined = self.delimiter.join(value)
        if not joined:
            raise self.make_error("invalid")
        return super()._deserialize(joined, attr, data, **options)  # type: ignore[no-untyped-call]  # webargs types it not
