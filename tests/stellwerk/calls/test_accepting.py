"""What is accepted as a call, on a real Postgres: numbers, limits and money."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from calling import NUMBER, call_of, calls_of, event, hold_trunk, originate, told
from calling import claim as claim_all
from connecting import knowing
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls.model import Call
from stellwerk.calls.service import ask
from stellwerk.choices import Mode
from stellwerk.configuration import service as configuration
from stellwerk.errors import (
    ErrorCode,
    InvalidInput,
    LimitReached,
    NotPermitted,
    PaymentRequired,
    ProviderRejected,
    Unavailable,
)
from stellwerk.jobs import control
from stellwerk.jobs.model import Job
from stellwerk.jobs.spending import committed_this_month, spent_this_month
from stellwerk.providers.calls.protocol import EventKind

WRONG = {
    "line break": "+4930\n1234567",
    "blank line": "+49301234567\n\napi status",
    "carriage return": "+49301234567\r",
    "brace": "{a=b}+49301234567",
    "comma": "+49301234567,+49301234568",
    "pipe": "+49301234567|+49301234568",
    "variable": "${hostname}",
    "bracket": "[a=b]+49301234567",
    "quote": "'+49301234567'",
    "unicode digits": "+٤٩٣٠١٢٣٤٥٦٧",
    "full width plus": "＋49301234567",  # noqa: RUF001  on purpose
    "letters": "+49 30 CALLME",
    "extension": "+49301234567;ext=5",
    "nothing": "",
    "spaces": "   ",
    "NUL": "+4930\x001234567",
    "10 kB": "+49" + "1" * 10_000,
    "too short": "+4930",
    "no such country": "+999123456789",
    "emergency": "112",
    "another field": "+49301234567 sofia/gateway/x",
}
REFUSED = {
    "satellite": "+881612345678",
    "Inmarsat": "+870773111632",
    "international premium rate": "+979123456789",
    "premium rate": "+499001234567",
}
WRITTEN = {
    "+493012341005": "+493012341005",
    "030 12341005": "+493012341005",
    "(030) 1234-1005": "+493012341005",
    "0049 30/12341005": "+493012341005",
    "+1 212 555 0100": "+12125550100",
}


@pytest.mark.parametrize("field", ["to", "from", "caller_id"])
def test_what_is_no_number_is_refused_by_its_field_and_not_stored(
    platform: Platform, field: str
) -> None:
    user_id = add_user(platform)
    for what, written in WRONG.items():
        refused = _refusal(platform, user_id, field, written)
        assert {error.field for error in refused.errors} == {field}, what
        assert len(str(refused.errors)) < 500, what
    assert _stored(platform) == 0


@pytest.mark.parametrize("field", ["to", "from"])
def test_numbers_that_cost_too_much_are_not_called(platform: Platform, field: str) -> None:
    user_id = add_user(platform)
    for what, number in REFUSED.items():
        refused = _refusal(platform, user_id, field, number)
        assert [error.field for error in refused.errors] == [field], what
        assert number not in str(refused.errors), what
    assert _stored(platform) == 0


def test_numbers_are_understood_as_people_write_them(platform: Platform) -> None:
    user_id = add_user(platform, subscription_tier="pro")
    for written, e164 in WRITTEN.items():
        call = call_of(platform, originate(platform, user_id, to=written))
        assert (call.to_number, call.state) == (e164, "queued")
        assert call.to_hash == platform.runtime.vault.lookups(e164)[0]


class TestPrefixes:
    def test_only_allowed_ones_are_called_where_some_are(self, platform: Platform) -> None:
        _configure(platform, "calls.allowed_prefixes", ["+41"])
        with pytest.raises(InvalidInput, match="not called"):
            originate(platform, add_user(platform))
        originate(platform, add_user(platform), to="+41 44 668 18 00")

    def test_a_longer_allowed_prefix_is_an_exception(self, platform: Platform) -> None:
        _configure(platform, "calls.denied_prefixes", ["+49"])
        with pytest.raises(InvalidInput, match="not called"):
            originate(platform, add_user(platform))
        _configure(platform, "calls.allowed_prefixes", ["+4930"])
        originate(platform, add_user(platform))


class TestWhatIsShown:
    def test_only_numbers_that_are_configured(self, platform: Platform) -> None:
        _configure(platform, "calls.caller_ids", ["+4930555", "+41446681800"])
        user_id = add_user(platform, subscription_tier="pro")
        refused = _refusal(platform, user_id, "caller_id", "+49 30 12341005")
        assert [error.field for error in refused.errors] == ["caller_id"]
        assert "calls.caller_ids" in refused.errors[0].reason
        assert "1234" not in str(refused.errors)
        assert _stored(platform) == 0
        for shown in ("+49 30 5551234", "+41 44 668 18 00"):
            originate(platform, user_id, caller_id=shown)
        originate(platform, user_id)

    def test_in_production_none_but_the_trunks_own_as_long_as_none_is_configured(
        self, platform: Platform
    ) -> None:
        here = knowing(
            platform,
            mode=Mode.PRODUCTION,
            esl_host="127.0.0.1",
            esl_password=SecretStr("x"),
            carrier_caller_id="+493012345678",
        )
        user_id = add_user(platform, subscription_tier="pro")
        with pytest.raises(InvalidInput, match="not shown"):
            originate(here, user_id, caller_id="+49 30 12341005")
        originate(here, user_id, caller_id="030 12345678")
        originate(platform, user_id, caller_id="+49 30 12341005")  # in development any


class TestLimits:
    def test_as_many_calls_at_once_as_the_tier_allows(self, platform: Platform) -> None:
        user_id = add_user(platform)
        first = originate(platform, user_id)
        originate(platform, user_id)

        with pytest.raises(LimitReached) as refused:
            originate(platform, user_id)

        assert refused.value.details == {"concurrent_calls_limit": 2}
        control.cancel(platform.runtime, first)
        originate(platform, user_id)

    def test_also_by_requests_at_the_same_time(self, platform: Platform) -> None:
        user_id, together = add_user(platform), Barrier(6)

        def ask_for_one(_: int) -> bool:
            together.wait()
            try:
                originate(platform, user_id)
            except LimitReached:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(ask_for_one, range(6))) == 2

    def test_as_many_a_day(self, platform: Platform) -> None:
        user_id = add_user(platform)
        for _ in range(3):
            control.cancel(platform.runtime, originate(platform, user_id))
        limits = {"free": 3, "pro": 3, "enterprise": 3}
        with pytest.raises(LimitReached) as refused:
            originate(knowing(platform, daily_call_limits=limits), user_id)
        assert refused.value.details == {"daily_call_limit": 3}
        assert 0 < (refused.value.retry_after_s or 0) <= 86_400


class TestMoney:
    def test_the_most_it_can_cost_is_set_aside(self, platform: Platform) -> None:
        user_id = add_user(platform)
        fields: dict[str, Any] = {"from": "+41446681800", "max_duration_s": 600}
        originate(platform, user_id, **fields)  # 10 minutes of 0.02 and of 0.03
        assert _committed(platform, user_id) == Decimal("0.5")

    def test_a_budget_that_does_not_cover_it_is_told(self, platform: Platform) -> None:
        user_id = add_user(platform, monthly_budget=Decimal("1.00"))
        with pytest.raises(PaymentRequired) as refused:
            originate(platform, user_id)
        assert refused.value.details == {"estimate": 1.2, "left": 1.0}
        assert "could cost 1.20 EUR; 1.00 EUR are left" in refused.value.message
        assert _stored(platform) == 0
        originate(platform, user_id, max_duration_s=60)

    def test_a_call_is_set_aside_until_it_ends_though_its_job_was_cancelled_before(
        self, platform: Platform
    ) -> None:
        user_id = add_user(platform, monthly_budget=Decimal("1.50"))
        job_id = originate(platform, user_id)
        hold_trunk(platform)
        with platform.runtime.sessions.begin() as session:
            ask(session, job_id)
        (dial,) = claim_all(platform)
        control.cancel(platform.runtime, job_id)
        with pytest.raises(PaymentRequired) as refused:
            originate(platform, user_id)
        assert refused.value.details == {"estimate": 1.2, "left": 0.3}
        told(platform, event(dial.call_id, EventKind.HUNG_UP, 7, cause="NO_ANSWER"))
        originate(platform, user_id)

    def test_what_was_spoken_is_paid_for_by_the_increments(self, platform: Platform) -> None:
        user_id = add_user(platform)
        job_id = originate(platform, user_id, to="+4915112345678")
        hold_trunk(platform)
        with platform.runtime.sessions.begin() as session:
            ask(session, job_id)
        (dial,) = claim_all(platform)

        told(platform, event(dial.call_id, EventKind.ANSWERED, 1))
        told(platform, event(dial.call_id, EventKind.HUNG_UP, 7, cause="NORMAL_CLEARING"))
        told(platform, event(dial.call_id, EventKind.HUNG_UP, 7, cause="NORMAL_CLEARING"))

        call = call_of(platform, job_id)
        assert (call.billable_s, call.cost_eur) == (6, Decimal("0.06"))  # a minute at least
        with platform.runtime.sessions() as session:
            assert spent_this_month(session, user_id) == Decimal("0.06")


def test_recording_needs_its_right(platform: Platform) -> None:
    with pytest.raises(NotPermitted, match="calls:record"):
        originate(platform, add_user(platform), record=True)
    originate(platform, add_user(platform, role="operator"), record=True)


def test_where_nobody_carries_calls_none_is_accepted(platform: Platform) -> None:
    with pytest.raises(Unavailable) as refused:
        originate(knowing(platform, mode=Mode.PRODUCTION), add_user(platform))
    assert refused.value.code is ErrorCode.TRUNK_UNAVAILABLE
    assert _stored(platform) == 0


def test_what_the_trunk_can_not_do_is_refused_before_it_is_stored(platform: Platform) -> None:
    here = knowing(
        platform,
        esl_host="127.0.0.1",
        esl_password=SecretStr("x"),
        call_recordings_dir=Path("/a b"),
    )
    with pytest.raises(ProviderRejected):
        originate(here, add_user(platform, role="operator"), record=True)
    assert _stored(platform) == 0
    originate(here, add_user(platform))


def test_a_call_needs_an_owner(platform: Platform) -> None:
    with pytest.raises(NotPermitted):
        originate(platform, None)


def _refusal(platform: Platform, user_id: int, field: str, written: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        originate(platform, user_id, **{"to": NUMBER, field: written})
    return refused.value


def _stored(platform: Platform) -> int:
    with platform.runtime.sessions() as session:
        found = [session.scalar(select(func.count()).select_from(one)) for one in (Call, Job)]
    return sum(count or 0 for count in found)


def _committed(platform: Platform, user_id: int) -> Decimal:
    assert len(calls_of(platform, user_id)) == 1
    with platform.runtime.sessions() as session:
        return committed_this_month(session, user_id)


def _configure(platform: Platform, name: str, value: Any) -> None:
    with platform.runtime.sessions.begin() as session:
        configuration.change(session, {name: value}, seen=None, by=add_user(platform))
    platform.configuration.refresh()
