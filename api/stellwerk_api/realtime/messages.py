"""The messages of the WebSocket, and the codes it is closed with; docs/realtime.md tells all."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson

from stellwerk.errors import FieldError, InvalidInput, MalformedRequest, StellwerkError
from stellwerk.live.events import EventId, JobEvent
from stellwerk_api.realtime.lists import LISTS, LiveList
from stellwerk_api.realtime.refusals import details_of

TEXT_MAX_BYTES = 16 * 1024  # of one message of a client
_OF_JOB = "job:"
_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


class CloseCode(IntEnum):
    """Why this side closes (RFC 6455, 7.4; 4000-4999 are ours)."""

    TRY_LATER = 1013
    INTERNAL = 1011
    MALFORMED = 4400
    NOT_AUTHENTICATED = 4401
    NOT_PERMITTED = 4403
    TOO_SLOW = 4408
    TOO_MANY = 4429


@dataclass(frozen=True, slots=True)
class Auth:
    """Who the client is, from now on."""

    token: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Begin to listen; `job_id` is empty for a list."""

    channel: str
    job_id: str
    last_event_id: EventId | None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Stop listening."""

    channel: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Is somebody there?"""


Message = Auth | Subscribe | Unsubscribe | Ping


def read_message(text: str | None) -> Message:
    """Read a client's message; raises MalformedRequest and InvalidInput."""
    try:
        content = orjson.loads(text or "")
    except orjson.JSONDecodeError as exc:
        raise MalformedRequest("Messages are JSON in text frames.") from exc
    if not isinstance(content, dict):
        raise MalformedRequest("A message is a JSON object.")
    kind = content.pop("type", None)
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise _wrong("type", f"Must be one of {', '.join(_READERS)}.")
    message = reader(content)
    if content:
        raise _wrong(next(iter(content)), "Unknown field.")
    return message


def event_text(channel: str, kind: str, data: bytes, *, event_id: str | None) -> str:
    """An event, as sent on a channel."""
    head = {"type": "event", "channel": channel, "id": event_id, "event": kind}
    return f'{orjson.dumps(head).decode()[:-1]},"data":{data.decode()}}}'


def on_job_channel(event: JobEvent) -> str:
    """An event, as sent to those who listen to its job."""
    channel = f"{_OF_JOB}{event.job_id}"
    return event_text(channel, event.type, event.data, event_id=str(event.id))


def on_list_channel(event: JobEvent, wanted: LiveList) -> str:
    """A change of something in a list, as sent to those who listen to that."""
    event_id = str(event.id) if wanted.has_ids else None
    return event_text(wanted.channel, wanted.kind(event), event.data, event_id=event_id)


def list_text(wanted: LiveList, content: bytes) -> str:
    """A list, as the snapshot of its channel."""
    return event_text(wanted.channel, "snapshot", content, event_id=None)


def said(kind: str, **fields: Any) -> str:
    """Any other message of ours."""
    return orjson.dumps({"type": kind, **fields}).decode()


def error_text(error: StellwerkError, channel: str | None) -> str:
    """An error, and the channel whose subscription it refused."""
    about = {"channel": channel} if channel else {}
    details = details_of(error)
    if error.retry_after_s:
        details["retry_after_s"] = error.retry_after_s
    return said("error", code=error.code, message=error.message, details=details, **about)


def _auth(content: dict[str, Any]) -> Auth:
    token = _text(content, "token")
    if not _TOKEN.fullmatch(token):
        raise _wrong("token", "Is neither an access token nor an API key.")
    return Auth(token)


def _subscribe(content: dict[str, Any]) -> Subscribe:
    channel = _channel(content)
    last_id = content.pop("last_event_id", None)
    if last_id is None:
        return Subscribe(channel, channel.partition(":")[2], None)
    if channel in LISTS or not isinstance(last_id, str):
        raise _wrong("last_event_id", "Is the id of an event of a job's channel.")
    try:
        return Subscribe(channel, channel.partition(":")[2], EventId.parse(last_id))
    except ValueError as exc:
        raise _wrong("last_event_id", "Is not the id of an event.") from exc


def _unsubscribe(content: dict[str, Any]) -> Unsubscribe:
    return Unsubscribe(_channel(content))


def _ping(content: dict[str, Any]) -> Ping:
    del content
    return Ping()


_READERS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "auth": _auth,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "ping": _ping,
}


def _channel(content: dict[str, Any]) -> str:
    channel = _text(content, "channel").lower()
    is_job = channel.startswith(_OF_JOB) and _JOB_ID.fullmatch(channel.removeprefix(_OF_JOB))
    if is_job or channel in LISTS:
        return channel
    names = " or ".join(f"`{name}`" for name in LISTS)
    raise _wrong("channel", f"Must be `{_OF_JOB}` and a job's id, or {names}.")


def _text(content: dict[str, Any], name: str) -> str:
    value = content.pop(name, None)
    if not isinstance(value, str) or not value:
        raise _wrong(name, "Is required, a string.")
    return value


def _wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput(f"`{field}`: {reason}", errors=[FieldError(field, reason)])
