"""What the telephony process does to the ledger, on a real Postgres."""

from calling import asked, claim, dialled, event, hold_trunk, stored, told
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.providers.calls.protocol import EventKind

E = EventKind


def test_a_call_that_was_asked_for_is_claimed_once(platform: Platform) -> None:
    hold_trunk(platform)
    call = asked(platform, add_user(platform), caller_id="+49301234567")

    (dial,) = claim(platform)

    assert (dial.call_id, dial.to, dial.caller_id) == (call.id, "+493012341005", "+49301234567")
    assert claim(platform) == []
    assert stored(platform, call.id).intended_at is not None


def test_an_answered_call_completes(platform: Platform) -> None:
    dial = dialled(platform, add_user(platform))
    call_id = dial.call_id

    told(platform, event(call_id, E.CREATED), event(call_id, E.RINGING, 1))
    assert stored(platform, call_id).state == "ringing"
    told(platform, event(call_id, E.ANSWERED, 3))
    assert stored(platform, call_id).state == "answered"
    told(platform, event(call_id, E.HUNG_UP, 73, cause="NORMAL_CLEARING"))

    call = stored(platform, call_id)
    assert (call.state, call.cause, call.duration_s, call.billable_s) == (
        "completed",
        "NORMAL_CLEARING",
        70,
        70,
    )
