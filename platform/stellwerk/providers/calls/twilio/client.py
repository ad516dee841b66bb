"""Twilio's own client, used from asyncio: its calls block, so they run in threads."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import requests
import twilio.rest.api  # noqa: F401  the SDK would load it while the first order waits
from pydantic import SecretStr
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError

from stellwerk.errors import ProviderDeferred, ProviderUnavailable
from stellwerk.providers.calls.refusals import question_error, without_numbers
from stellwerk.providers.calls.twilio.connections import PromptAdapter, TooLate

THREADS = 8
# Of requests, all at the time before anything is sent.
UNSENT = (NewConnectionError, ConnectTimeoutError, ProxyError)
_NOTHING_ELSE = {"TWILIO": "settings come from us"}  # in place of the environment

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Account:
    """Whose calls they are. Empty `base_url`: Twilio's own."""

    sid: str
    token: SecretStr
    base_url: str = ""
    timeout_s: float = 10.0


class NoAnswer(Exception):
    """Twilio answered nothing; `was_sent`: it may have got the request all the same."""

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        super().__init__(f"Twilio could not be reached: {reason}")
        self.was_sent = was_sent


class Refused(Exception):
    """Twilio said no."""

    def __init__(self, error: TwilioRestException, headers: Mapping[str, str]) -> None:
        super().__init__(error.msg)
        self.status, self.code, self.headers = error.status, error.code, headers
        self.reason = f"{error.msg} ({error.code})"

    def unanswered(self) -> ProviderUnavailable:
        """For a question, whose refusal says nothing of a call."""
        reason = without_numbers(self.reason)
        return question_error("Twilio", self.status, message=reason, headers=self.headers)


class TwilioAccount:
    """Asks Twilio; raises NoAnswer and Refused."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._threads = ThreadPoolExecutor(THREADS, "twilio")

    async def ask(self, question: Callable[[Client], Answer]) -> Answer:
        """What Twilio answers to what is done with its client, in a thread.

        The thread may go on after the last answer was waited for, but sends nothing by then.
        """
        loop = asyncio.get_running_loop()
        sent_by = monotonic() + 2 * self._account.timeout_s
        answer = loop.run_in_executor(self._threads, self._answer, question, sent_by)
        try:
            async with asyncio.timeout(3 * self._account.timeout_s):
                return await answer
        except TimeoutError:
            raise NoAnswer("it took too long", was_sent=True) from None

    async def order(self, question: Callable[[Client], Answer]) -> Answer:
        """The same, with errors of what must not be done twice.

        Raises Refused, ProviderDeferred where nothing was sent, and ProviderUnavailable.
        """
        try:
            return await self.ask(question)
        except NoAnswer as exc:
            raise (ProviderUnavailable if exc.was_sent else ProviderDeferred)(str(exc)) from None

    def _answer(self, question: Callable[[Client], Answer], sent_by: float) -> Answer:
        account = self._account
        http = _Http(account.timeout_s, sent_by)
        client = Client(
            account.sid, account.token.get_secret_value(), None, None, http, _NOTHING_ELSE
        )
        if account.base_url:
            client.api.base_url = account.base_url
        with http.session, _vendor_errors(http):
            return question(client)


class _Http(TwilioHttpClient):  # type: ignore[misc]  # twilio ships no types
    """A connection for one question, so that no order is sent on one that is closing."""

    session: requests.Session
    heard: Mapping[str, str]

    def __init__(self, timeout_s: float, sent_by: float) -> None:
        super().__init__(timeout=timeout_s)
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, PromptAdapter(sent_by))
        self.heard = {}

    def request(self, *arguments: Any, **options: Any) -> Response:
        """As of the SDK, remembering the answer's headers."""
        response = super().request(*arguments, **options)
        self.heard = dict(response.headers or {})
        return response


@contextmanager
def _vendor_errors(http: _Http) -> Iterator[None]:
    """Foreign errors end here: their texts and causes hold URLs with numbers, so none is kept."""
    try:
        yield
    except TwilioRestException as exc:
        raise Refused(exc, http.heard) from None
    except TooLate:
        raise NoAnswer("it took too long to get there", was_sent=False) from None
    except requests.RequestException as exc:
        raise NoAnswer(type(exc).__name__, was_sent=_was_sent(exc)) from None
    except TwilioException as exc:
        raise NoAnswer(f"{type(exc).__name__} of its SDK", was_sent=True) from None


def _was_sent(error: requests.RequestException) -> bool:
    inner = error.args[0] if error.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    return not (isinstance(reason, UNSENT) or _is_untrusted(reason))


def _is_untrusted(reason: object) -> bool:
    """Whether it is the certificate, which is looked at before anything is sent."""
    while isinstance(reason, BaseException):
        if isinstance(reason, ssl.SSLCertVerificationError):
            return True
        reason = reason.args[0] if reason.args else None
    return False
