"""One call whose number nobody can read any more leaves all others alone."""

import pytest

from calling import SPOILT, TRUNK, asked, claim, dialled, hold_trunk, signals_of, spoil
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import dialing, service, waiting
from stellwerk.errors import ErrorCode


@pytest.mark.parametrize("how", SPOILT)
def test_it_fails_alone_where_it_was_to_be_dialled(platform: Platform, how: str) -> None:
    user_id = add_user(platform, subscription_tier="enterprise")
    hold_trunk(platform)
    calls = [asked(platform, user_id) for _ in range(3)]
    spoil(platform, calls[1].id, how)

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
    spoil(platform, dials[1].call_id, how)

    found = dialing.under_way(platform.runtime, TRUNK)

    assert [one.dial.call_id for one in found] == [dial.call_id for dial in dials]
    assert [one.dial.to for one in found] == [dials[0].to, "", dials[2].to]
