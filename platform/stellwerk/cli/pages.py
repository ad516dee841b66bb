"""Lists of the API, page by page."""

from typing import Any

from stellwerk.cli.api import Api

PAGE = 200


def all_of(api: Api, path: str, **wanted: Any) -> list[dict[str, Any]]:
    """Every item of a list, in the API's order."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = api.get(path, limit=PAGE, cursor=cursor, **wanted)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
