"""One call whose number nobody can read any more leaves all others alone."""

import pytest
from sqlalchemy import text

from calling import TRUNK, asked, claim, dialled, hold_trunk, signals_of, stored
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import dialing, service, waiting
from stellwerk.calls.model import Call
from stellwerk.errors import ErrorCode

# Under a key that is not there, under another one than it says, and what never was a number.
SPOILT = {
    "key gone": "convert_to('00000000', 'UTF8') || substring(to_number FROM 9)",
    "other key": "overlay(to_number PLACING decode('00000000', 'hex') FROM 40)",
    "garbage": "decode('ff00ff00ff00ff00ff00ff', 'hex')",
}


def spoil(platform: Platform, call: Call, how: str) -> None:
    statement = text(f"UPDATE calls SET to_number = {SPOILT[how]} WHERE id = :id")  # noqa: S608  from here
    with platform.runtime.sessions.begin() as session:
        session.execute(statement, {"id": call.id})


@pytest.mark.parametrize("how", SPOILT)
def test_it_fails_alone_where_it_was_to_be_dialled(platform: Platform, how: str) -> None:
    user_id = add_user(platform, subscription_tier="enterprise")
    hold_trunk(platform)
    calls = [asked(platform, user_id) for _ in range(3)]
    spoil(platform, calls[1], how)

    assert [dial.call_id for dial in claim(platform)] == [calls[0].id, calls[2].id]

    job_id = calls[1].job_id
    assert job_id is not None
    with platform.runtime.sessions() as session:
        call = service.call_of_job(session, job_id, with_numbers=False)
    assert (call.state, call.cause) == ("failed", "NUMBER_UNREADABLE")
    assert call.refusal == ErrorCode.PROVIDER_REJECTED
    assert signals_of(platform, job_id) == ["call.ended"]
    assert waiting.is_over(platform.runtime, job_id)


@pytest.mark.parametrize("how", SPOILT)
def test_it_is_still_among_those_under_way_without_its_number(platform: Platform, how: str) -> None:
    user_id = add_user(platform, subscription_tier="enterprise")
    dials = [dialled(platform, user_id) for _ in range(3)]
    spoil(platform, stored(platform, dials[1].call_id), how)

    found = dialing.under_way(platform.runtime, TRUNK)

    assert [one.dial.call_id for one in found] == [dial.call_id for dial in dials]
    assert [one.dial.to for one in found] == [dials[0].to, "", dials[2].to]
