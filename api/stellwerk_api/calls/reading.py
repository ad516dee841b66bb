"""Calls as their callers may see them."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response, request

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record_look
from stellwerk.calls import numbers, queries
from stellwerk.calls.figures import figures
from stellwerk.calls.queries import CallFilter, Found
from stellwerk.calls.states import ENDED
from stellwerk.clock import age_s, utc_now
from stellwerk.errors import FieldError, InvalidInput
from stellwerk_api.auth import caller
from stellwerk_api.calls.addresses import status_url
from stellwerk_api.calls.schemas import CallStatusSchema
from stellwerk_api.context import platform
from stellwerk_api.jobs.reading import look_again_s
from stellwerk_api.json_answers import as_json, json_answer
from stellwerk_api.pagination import page, uuid_cursor

USUAL_RANGE = timedelta(days=30)
LONGEST_RANGE = timedelta(days=366)


def polled(call_id: UUID) -> Response:
    """The answer to a poll: 200, or 304 where the client has this document."""
    found = _seen(call_id)
    body = CallStatusSchema().dump(found.document | {"status_url": status_url(call_id)})
    tag = _tag(body, is_own=found.user_id == caller().user_id)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
    if found.document["state"] not in ENDED:
        headers["Retry-After"] = str(look_again_s(age_s(call_id), 0))
    if request.if_none_match.contains_weak(tag):
        return Response(status=304, headers=headers)
    return json_answer(body, headers=headers)


def listed(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """A page of the caller's own calls."""
    number = query.get("number")
    wanted = CallFilter(
        since=query.get("since"),
        until=query.get("until"),
        states=query["state"],
        number_hashes=_hashes(number) if number else (),
        after=uuid_cursor(query["cursor"]),
        limit=query["limit"] + 1,
    )
    with platform().runtime.sessions() as session:
        found = queries.calls(session, caller().user_id, wanted)
    told = [one | {"status_url": status_url(one["call_id"])} for one in found]
    return page(told, query["limit"], "call_id")


def measured(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """How everybody's calls went; raises InvalidInput for too long a time."""
    until: datetime = query.get("until") or utc_now()
    since: datetime = query.get("since") or until - USUAL_RANGE
    if since >= until or until - since > LONGEST_RANGE:
        reason = f"Not within the {LONGEST_RANGE.days} days before `until`."
        raise InvalidInput("The request is not valid.", errors=[FieldError("since", reason)])
    with platform().runtime.sessions() as session:
        return figures(session, since, until)


def _hashes(number: str) -> tuple[str, ...]:
    """By which a number is found; raises InvalidInput for what is none.

    A plus that was not escaped has become a space on its way.
    """
    here = platform()
    written = f"+{number[1:]}" if number.startswith(" ") else number
    wanted = numbers.number(written, here.settings.call_region, "number")
    return here.runtime.vault.lookups(wanted.e164)


def _seen(call_id: UUID) -> Found:
    """The call, if the caller may see it, masked where it is not their own; raises NotFound."""
    with platform().runtime.sessions.begin() as session:
        found = queries.call(session, call_id)
        if found.user_id == caller().user_id:
            return found
        if not caller().may("jobs:read_all"):
            raise queries.unknown(call_id)
        record_look(
            session,
            action=Action.CALL_READ,
            actor=caller().user_id,
            subject_user_id=found.user_id,
            target=f"call:{call_id}",
        )
    return found._replace(document=queries.masked(found.document))


def _tag(body: Mapping[str, Any], *, is_own: bool) -> str:
    """Of everything but the numbers, which never change and must not be guessed by it."""
    plain = {name: value for name, value in body.items() if name not in queries.NUMBERS}
    return hashlib.sha256(as_json([plain, is_own])).hexdigest()[:32]
