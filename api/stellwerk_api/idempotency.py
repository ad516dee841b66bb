"""`Idempotency-Key` on the routes that accept work: sent again, a request is answered as before.

The key is an RFC 9651 string, or the same without quotes. It belongs to its sender and its route.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import orjson
from flask import g, request
from marshmallow import missing

from stellwerk.errors import MalformedRequest
from stellwerk.jobs.idempotency import Once, Replayed
from stellwerk_api.auth import caller
from stellwerk_api.bodies import json_body
from stellwerk_api.context import platform

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY_CHARACTERS = 255

_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE = re.compile(r"[!#-+\--:<-\[\]-~]+")  # visible ASCII but `"`, `\`, and what joins headers


def once() -> Once | None:
    """The request as one to be carried out once; None without the header.

    Raises MalformedRequest.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return None
    return Once(
        owner_id=caller().user_id,
        route=_route(),
        key=_key(given),
        body_marks=platform().runtime.vault.marks(b"idempotency:" + _canonical_body()),
        kept_s=platform().settings.idempotency_ttl_s,
    )


@contextmanager
def replayable() -> Iterator[None]:
    """What was done by an earlier request of this key is not done; `replayed` has its jobs."""
    try:
        yield
    except Replayed as exc:
        replay(exc)


def replay(found: Replayed) -> tuple[UUID, ...]:
    """Let the answer be that of the earlier request, whose jobs these are."""
    g.replayed = found.job_ids
    return found.job_ids


def replayed() -> tuple[UUID, ...]:
    """The jobs of the earlier request that this one repeats; none where it repeats none."""
    return cast("tuple[UUID, ...]", g.get("replayed", ()))


def is_replayed() -> bool:
    """Whether the request repeats an earlier one, which may have had no jobs."""
    return "replayed" in g


def _key(given: str) -> str:
    quoted = _QUOTED.fullmatch(given)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else given
    if not (quoted or _BARE.fullmatch(given)) or not 1 <= len(key) <= KEY_CHARACTERS:
        raise MalformedRequest(
            f"{HEADER} is 1 to {KEY_CHARACTERS} visible ASCII characters, best in double quotes."
        )
    return key


def _route() -> str:
    """The same for every path that leads to the route, with what the path names."""
    named = [str(value) for value in (request.view_args or {}).values()]
    return ":".join([str(request.endpoint), *named])


def _canonical_body() -> bytes:
    """The body's meaning: spaces and the order of names do not count."""
    body: Any = json_body(request)
    return b"" if body is missing else orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
