"""What Twilio tells by its requests.

See https://www.twilio.com/docs/usage/webhooks/webhooks-security.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from stellwerk.errors import NotPermitted
from stellwerk.providers.calls.callbacks import Callback
from stellwerk.providers.calls.protocol import CallEvent, Leg
from stellwerk.providers.calls.twilio.statuses import Told, events_of, now, seconds_of

SIGNATURE = "x-twilio-signature"
FIELDS_AT_MOST = 200


class TwilioCallbacks:
    """Requests to `public_url`, signed with the account's token."""

    def __init__(self, token: SecretStr, public_url: str) -> None:
        self._validator = RequestValidator(token.get_secret_value())
        self._public_url = public_url

    def events(self, callback: Callback) -> Sequence[CallEvent]:
        """See `Callbacks.events`; the address tells of which leg of which call it is."""
        fields = _fields(callback.body)
        signature = callback.headers.get(SIGNATURE, "")
        url = self._public_url + callback.path
        if not self._validator.validate(url, fields, signature):
            raise NotPermitted("This request is not Twilio's.")
        asked = dict(parse_qsl(urlsplit(callback.path).query))
        try:
            call_id, leg = UUID(asked.get("call", "")), Leg(asked.get("leg", Leg.TO))
        except ValueError:  # an address that we did not give
            return ()
        return _events(fields, call_id, leg)


def _fields(body: bytes) -> Mapping[str, str]:
    try:
        text = body.decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_AT_MOST))
    except ValueError as exc:
        raise NotPermitted("This request is not Twilio's.") from exc


def _events(fields: Mapping[str, str], call_id: UUID, leg: Leg) -> Sequence[CallEvent]:
    sid = fields.get("CallSid", "")
    ref = fields.get("ParentCallSid") or sid
    at = _time_of(fields.get("Timestamp", ""))
    told = Told(
        call_id=call_id,
        leg=leg,
        ref=ref,
        sid=sid,
        status=fields.get("CallStatus", ""),
        at=at,
        duration_s=seconds_of(fields.get("CallDuration")),
        sip_status=fields.get("SipResponseCode"),
    )
    return tuple(events_of(told))


def _time_of(text: str) -> datetime:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return now()
    return at if at.tzinfo else at.replace(tzinfo=UTC)
