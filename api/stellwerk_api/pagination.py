"""Lists by cursor: `{items, next_cursor}`; a cursor is opaque and names the next page's start."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate

from stellwerk.errors import FieldError, InvalidInput
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.query_fields import QueryInteger

LIMIT_DEFAULT = 50
LIMIT_MAX = 200


class PageQuery(Schema):
    """Which page of a list; subclass it for filters."""

    cursor = fields.String(
        load_default=None,
        validate=validate.Length(1, 200),
        metadata={"description": "`next_cursor` of the page before."},
    )
    limit = QueryInteger(load_default=LIMIT_DEFAULT, validate=validate.Range(1, LIMIT_MAX))


def page_schema(item: type[Schema]) -> type[Schema]:
    """The schema of a page of such items."""
    name = f"{item.__name__.removesuffix('Schema')}Page"
    return Schema.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next_cursor": fields.String(
                required=True, allow_none=True, metadata={"description": "null: the last page."}
            ),
        },
        name=name,
    )


def page(items: Sequence[Any], limit: int, key: str) -> dict[str, Any]:
    """A page out of `limit` + 1 fetched items (dicts, or objects with attributes).

    `key` names what the cursor holds: the value by which the list is sorted.
    """
    shown = list(items[:limit])
    if len(items) <= limit:
        return {"items": shown, "next_cursor": None}
    last = shown[-1]
    value = last[key] if isinstance(last, dict) else getattr(last, key)
    return {"items": shown, "next_cursor": encode_cursor(str(value))}


def own_page(
    query: Mapping[str, Any], read: Callable[[str | None], Any], find: Callable[..., Sequence[Any]]
) -> dict[str, Any]:
    """A page of what the caller owns, sorted by id.

    `read` reads its cursor; `find` is given a session, the owner, `after` and `limit`.
    """
    limit, after = query["limit"], read(query["cursor"])
    with platform().runtime.sessions() as session:
        found = find(session, caller().user_id, after=after, limit=limit + 1)
    return page(found, limit, "id")


def encode_cursor(value: str) -> str:
    """An opaque cursor."""
    return urlsafe_b64encode(value.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """What a cursor holds; raises InvalidInput."""
    try:
        return urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError) as exc:
        raise wrong_cursor() from exc


def uuid_cursor(cursor: str | None) -> UUID | None:
    """The UUID a cursor holds; raises InvalidInput."""
    try:
        return UUID(decode_cursor(cursor)) if cursor else None
    except ValueError as exc:
        raise wrong_cursor() from exc


def int_cursor(cursor: str | None) -> int | None:
    """The row id (up to 2^63 - 1) a cursor holds; raises InvalidInput."""
    if not cursor:
        return None
    text = decode_cursor(cursor)
    if not (text.isascii() and text.isdecimal() and int(text) < 1 << 63):
        raise wrong_cursor()
    return int(text)


def moment_cursor(cursor: str | None) -> datetime | None:
    """The point in time a cursor holds; raises InvalidInput."""
    try:
        moment = datetime.fromisoformat(decode_cursor(cursor)) if cursor else None
    except ValueError as exc:
        raise wrong_cursor() from exc
    if moment and moment.tzinfo is None:
        raise wrong_cursor()
    return moment


def wrong_cursor() -> InvalidInput:
    """The refusal of a cursor that this API did not make."""
    reason = "Not a cursor of this list."
    return InvalidInput("The request is not valid.", errors=[FieldError("cursor", reason)])
