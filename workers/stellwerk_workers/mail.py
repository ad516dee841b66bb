"""The handler that sends a mail.

Where a worker dies after its server may have taken the mail, and that server takes a mail twice:
a letter of the platform's own is sent again, since one that never comes is worse than one that
comes twice; anything else is left to a person (docs/decisions/0021).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from stellwerk.clock import utc_now
from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.effects import Effect, Repeat
from stellwerk.mail.composition import compose
from stellwerk.providers.mail.protocol import Handover, Mailer, Parcel, Refusal
from stellwerk_workers.handlers import handles

log = structlog.get_logger()


@handles("email.send")
def send(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Hand it over; those whom the server takes only later get it by a later attempt."""
    mailer = ctx.runtime.providers.mail
    url = ctx.runtime.settings.base_url()
    parcel = compose(payload, ctx.job_id, sender=mailer.sender, url=url, now=utc_now())
    repeat = _repeat(mailer, payload)
    accepted: list[str] = []
    refused: list[dict[str, str]] = []
    left = parcel.recipients
    while left:
        try:
            output = _round(ctx, mailer, replace(parcel, recipients=left), repeat)
        except ProviderRejected as exc:
            if not accepted:
                raise
            output = _nobody(left, exc.message)
        accepted += output["accepted"]
        refused += output["refused"]
        left = tuple(output["later"])
    return {"message_id": parcel.message_id, "accepted": accepted, "refused": refused}


def _round(ctx: JobContext, mailer: Mailer, parcel: Parcel, repeat: Repeat) -> dict[str, Any]:
    """One handing over; raises ProviderUnavailable where it leaves recipients for later."""
    key = ctx.occurrence("send")
    was_done = ctx.recorded("send", key)
    output: dict[str, Any] = ctx.effect(
        Effect(
            name="send",
            call=partial(_hand_over, mailer, parcel),
            repeat=repeat,
            call_timeout_s=mailer.timeout_s,
            key=key,
        )
    )
    if output["later"] and not (was_done and was_done.is_done):
        count = len(output["later"])
        raise ProviderUnavailable(f"The mail server takes {count} of the recipients only later.")
    return output


def _hand_over(mailer: Mailer, parcel: Parcel, _idempotency_key: str) -> dict[str, Any]:
    handover = mailer.send(parcel)
    if handover.kept:
        log.info("mail kept, since no mail server is set", hint=handover.kept)
    return _output(handover)


def _output(handover: Handover) -> dict[str, Any]:
    return {
        "accepted": list(handover.accepted),
        "refused": [
            {"address": one.address, "reason": one.reason}
            for one in handover.refused
            if one.is_final
        ],
        "later": [one.address for one in handover.refused if not one.is_final],
    }


def _nobody(addresses: Sequence[str], reason: str) -> dict[str, Any]:
    refused = [Refusal(address, reason, is_final=True) for address in addresses]
    return _output(Handover((), tuple(refused)))


def _repeat(mailer: Mailer, payload: dict[str, Any]) -> Repeat:
    may_come_twice = mailer.is_idempotent or "template" in payload
    return Repeat.IDEMPOTENT if may_come_twice else Repeat.BLIND
