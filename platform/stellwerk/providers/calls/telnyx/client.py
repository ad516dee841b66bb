"""Telnyx's own client, with its errors translated."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import SecretStr
from telnyx import (
    APIConnectionError,
    APIStatusError,
    AsyncTelnyx,
    DefaultAsyncHttpxClient,
    TelnyxError,
)

from stellwerk.errors import ProviderDeferred, ProviderUnavailable
from stellwerk.providers.calls.refusals import question_error, without_numbers

OWN_URL = "https://api.telnyx.com/v2"
# Of requests, all at the time before anything is sent.
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
GONE = (404, 410)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Access:
    """To whose calls. Empty `base_url`: Telnyx's own."""

    api_key: SecretStr
    connection_id: str
    base_url: str = ""
    timeout_s: float = 10.0


class Refused(Exception):
    """Telnyx said no."""

    def __init__(self, error: APIStatusError) -> None:
        super().__init__(f"Telnyx answered {error.status_code}.")
        self.status = error.status_code
        self.headers: Mapping[str, str] = dict(error.response.headers)
        self.reason = _reason(error)

    @property
    def is_gone(self) -> bool:
        """Whether Telnyx knows nothing of the call any more."""
        return self.status in GONE

    def unanswered(self) -> ProviderUnavailable:
        """For a question, whose refusal says nothing of a call."""
        reason = without_numbers(self.reason)
        return question_error("Telnyx", self.status, message=reason, headers=self.headers)


def client_of(access: Access) -> AsyncTelnyx:
    """A client that repeats nothing, also to nobody else that an answer names.

    Nor does it send anything on a connection that may be closing.
    """
    limits = httpx.Limits(max_keepalive_connections=0)
    return AsyncTelnyx(
        api_key=access.api_key.get_secret_value(),
        base_url=access.base_url or OWN_URL,
        timeout=access.timeout_s,
        max_retries=0,
        http_client=DefaultAsyncHttpxClient(limits=limits, follow_redirects=False),
    )


async def answer(question: Awaitable[Answer]) -> Answer:
    """What Telnyx answers.

    Raises Refused, ProviderDeferred where nothing was sent, and ProviderUnavailable.
    """
    try:
        return await question
    except APIStatusError as exc:
        raise Refused(exc) from None  # its text holds numbers
    except APIConnectionError as exc:
        cause = exc.__cause__ or exc
        error = ProviderDeferred if isinstance(cause, UNSENT) else ProviderUnavailable
        raise error(f"Telnyx could not be reached: {type(cause).__name__}") from None
    except TelnyxError as exc:
        raise ProviderUnavailable(f"Telnyx's answer is none: {type(exc).__name__}") from None


def _reason(error: APIStatusError) -> str:
    body = error.body
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        return "no reason given"
    first = errors[0]
    told = first.get("detail") or first.get("title") or "no reason given"
    return f"{told} ({first.get('code', 'no code')})"
