"""Tells somebody that their account is gone, by the last mail to their address.

The erasure's own job sends it: a job of the mail's own would hold the address after it was to be
forgotten. It bears the erasure's Message-ID, in whichever attempt.
"""

from datetime import datetime
from functools import partial
from typing import Any

from stellwerk.clock import utc_now
from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.effects import Effect, Repeat
from stellwerk.jobs.interruptions import HandedOver
from stellwerk.mail.composition import compose
from stellwerk.mail.letters import Letter
from stellwerk.privacy.model import PrivacyRequest
from stellwerk.privacy.service import kept_address
from stellwerk.providers.mail.protocol import Mailer, Parcel

TRIED_FOR_S = 24 * 3600.0  # after the account is gone; then the address is forgotten untold
SOONEST_S, LATEST_S = 10.0, 3600.0  # between tries


def say_farewell(ctx: JobContext, request: PrivacyRequest, gone_at: datetime) -> None:
    """Send the letter, if there is an address; gives its worker back while nobody takes it."""
    address = kept_address(ctx.runtime.vault, request)
    if address is None:
        return
    mailer = ctx.runtime.providers.mail
    letter = {"to": [address], "template": Letter.ACCOUNT_DELETED, "language": request.language}
    url = ctx.runtime.settings.base_url()
    parcel = compose(letter, ctx.job_id, sender=mailer.sender, url=url, now=utc_now())
    effect = Effect(
        name="send",
        call=partial(_hand_over, mailer, parcel),
        repeat=Repeat.IDEMPOTENT,  # a letter may come twice
        call_timeout_s=mailer.timeout_s,
    )
    try:
        ctx.effect(effect)
    except ProviderRejected:
        return  # there is no such mailbox: nobody is left to be told
    except ProviderUnavailable as exc:
        waited_s = (utc_now() - gone_at).total_seconds()
        if waited_s < TRIED_FOR_S:
            delay_s = min(max(waited_s / 2, SOONEST_S), LATEST_S)
            raise HandedOver("the mail server takes the letter only later", delay_s) from exc


def _hand_over(mailer: Mailer, parcel: Parcel, _idempotency_key: str) -> dict[str, Any]:
    """Nothing of whom it went to is kept."""
    mailer.send(parcel)
    return {"sent": True}
