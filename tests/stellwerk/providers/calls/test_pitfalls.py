"""What a client of a real switch must reckon with, each by the recording it was seen in.

The numbers are those of tests/data/freeswitch/README.md; 5, calls without a channel, stands in
test_recorded_calls, and 9, framing, in test_framing.
"""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from listening import Heard, in_a_loop, listening, until
from recorded_calls import (
    CALL,
    DIAL,
    all_ids,
    dialled,
    ids_of,
    settled,
    settled_after_a_job,
    trunk_at,
    whole_id,
)
from recordings import received, sent
from replay import HELD, replaying
from stellwerk.errors import ProviderRejected
from stellwerk.providers.calls.freeswitch.dial_strings import DialPlan, job_of, originate
from stellwerk.providers.calls.freeswitch.framing import (
    EVENTS,
    Frame,
    Framer,
    event_of,
)
from stellwerk.providers.calls.protocol import Dial, EventKind
from stellwerk.settings import Settings

HUNG_UP, REFUSED, ANSWERED = EventKind.HUNG_UP, EventKind.REFUSED, EventKind.ANSWERED
TOO_FAST = "DESTINATION_OUT_OF_ORDER"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def frames_of(name: str) -> list[Frame]:
    framer = Framer()
    return [frame for piece in received(name) for frame in framer.feed(piece)]


@in_a_loop
async def test_1_how_long_it_rings_is_said_in_the_way_that_is_honoured() -> None:
    async with dialled("07d_call_timeout_is_ignored") as (heard, _, switch):
        await heard.until_kind(HUNG_UP)
    (command,) = [line for line in switch.heard if line.startswith(b"bgapi")]
    assert b"originate_timeout=60" in command
    assert b"call_timeout" not in command


def injected() -> list[str]:
    """The destinations by which the recordings broke out of the dial string."""
    found = []
    for name in ("12_injection_blank_line", "12b_injection_single_newline"):
        found += [block.decode() for block in sent(name) if b"originate" in block]
    for name in ("12c_injection_console_execute", "12d_injection_dialstring"):
        found += [block.decode().strip() for block in sent(name) if b"api" in block]
    found += [block.decode().strip() for block in sent("12f_injection_hijack")]
    return [line.rpartition("loopback/")[2] for line in found] + found


@pytest.mark.parametrize("destination", injected())
@pytest.mark.parametrize("field", ["to", "first", "caller_id"])
@in_a_loop
async def test_2_what_breaks_out_of_the_dial_string_never_gets_to_the_socket(
    field: str, destination: str
) -> None:
    dial = Dial(**{"call_id": CALL, "to": DIAL.to} | {field: destination})  # type: ignore[arg-type]  # wrong on purpose
    trunk = trunk_at(1)
    with pytest.raises(ProviderRejected):
        trunk.refuse(dial)
    with pytest.raises(ProviderRejected):
        await trunk.dial(dial)


@in_a_loop
async def test_2_a_command_with_a_line_break_inside_is_not_sent() -> None:
    async with replaying("05_originate_success") as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk):
            for line in ("api version\n\napi strepoch", "api x\nJob-UUID: y", "api x\r", "api \0"):
                with pytest.raises(ProviderRejected):
                    await trunk._switch.command(line)  # noqa: SLF001  what it stands on
    assert [line.split()[0] for line in switch.heard] == [b"auth", b"event"]


@pytest.mark.parametrize("name", ["21_variable_quoting", "21b_variable_quoting_2"])
def test_3_no_value_needs_quoting_that_a_switch_may_cut(name: str) -> None:
    values = [
        value
        for block in sent(name)
        for pair in block.decode().partition("{")[2].partition("}lo")[0].split(",")
        if (value := pair.partition("=")[2].strip("'\""))
    ]
    assert any("Meier" in value for value in values) or "a}b" in values
    for value in values:
        with pytest.raises(ProviderRejected):
            originate(Dial(CALL, to=DIAL.to, caller_id=value), DialPlan())
    line, _ = originate(DIAL, DialPlan())
    assert line.startswith("bgapi originate {^^;origination_uuid=")
    assert "," not in line


@in_a_loop
async def test_4_early_media_is_no_answer_though_the_job_says_ok() -> None:
    async with dialled("13_sip_1006") as (heard, _, _):
        await heard.until_kind(HUNG_UP)
        early, answer = heard.one(EventKind.EARLY_MEDIA), heard.one(ANSWERED)
    assert (answer.at - early.at).total_seconds() == pytest.approx(2, abs=0.1)
    assert "ignore_early_media=true" in originate(DIAL, DialPlan())[0]


@in_a_loop
async def test_6_a_job_may_fail_before_its_channel_is_told_of() -> None:
    """Over loopback: -ERR, and only then CHANNEL_CREATE and CHANNEL_HANGUP_COMPLETE."""
    name = "12d_injection_dialstring"
    ids = {whole_id(name, "9a4bd436-"): str(CALL), whole_id(name, "c84152fd-"): str(job_of(CALL))}
    async with replaying(name, ids=ids, skipped=5) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk) as heard:
            await trunk.dial(DIAL)
            end = await heard.until_kind(HUNG_UP)
            await settled(trunk)
    assert (end.cause, heard.kinds()) == ("NO_ROUTE_DESTINATION", [EventKind.CREATED, HUNG_UP])


@pytest.mark.parametrize("name", ["07c_no_answer_leg_timeout", "25b_originate_playback"])
@in_a_loop
async def test_6_numbers_of_events_that_are_not_in_order_change_nothing(name: str) -> None:
    numbers = [
        int(event_of(frame).headers["Event-Sequence"])
        for frame in frames_of(name)
        if frame.kind in EVENTS
    ]
    async with dialled(name) as (heard, _, _):
        await heard.until_kind(HUNG_UP)
    assert numbers != sorted(numbers)
    assert EventKind.CREATED in heard.kinds()


@in_a_loop
async def test_7_a_living_call_that_is_dialled_again_is_not_refused() -> None:
    """Over SIP the second is DESTINATION_OUT_OF_ORDER, which is what the throttle says too."""
    name = "16b_duplicate_origination_uuid_sip"
    ids = ids_of(name) | {whole_id(name, "da6c89e1-"): str(job_of(CALL))}
    alive = HELD | {b"api uuid_exists": b"true"}
    async with replaying(name, ids=ids, answers=alive) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk) as heard:
            await trunk.dial(DIAL)
            await heard.until_kind(ANSWERED)
            await trunk.dial(DIAL)
            await settled_after_a_job(trunk)
    assert REFUSED not in heard.kinds()
    assert HUNG_UP not in heard.kinds()


@in_a_loop
async def test_7_a_second_channel_that_loopback_makes_under_another_name_is_hung_up() -> None:
    name = "16_duplicate_origination_uuid"
    ids = ids_of(name) | {whole_id(name, "bf6777a2-"): str(job_of(CALL))}
    async with replaying(name, ids=ids, answers={b"api uuid_kill": b"+OK\n"}) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk) as heard:
            await trunk.dial(DIAL)
            await heard.until_kind(ANSWERED)
            await trunk.dial(DIAL)
            other = whole_id(name, "aaae5f80-")
            await until(lambda: any(other.encode() in line for line in switch.heard))
    assert f"api uuid_kill {other}\n\n".encode() in switch.heard
    assert f"api uuid_kill {CALL}\n\n".encode() not in switch.heard


def ended(heard: Heard) -> set[UUID]:
    """The calls of whose end something was said."""
    return {event.call_id for event in heard.events if event.kind in {REFUSED, HUNG_UP}}


@pytest.mark.parametrize("name", ["22_throttle_sessions_per_second", "22b_throttle_sip"])
@in_a_loop
async def test_8_calls_above_the_switchs_limit_are_refused_and_all_others_are_not(
    name: str,
) -> None:
    ids, calls, results = all_ids(name)
    failed = {
        call: result.removeprefix("-ERR ")
        for call, result in zip(calls, results, strict=True)
        if result.startswith("-ERR ")
    }
    async with replaying(name, ids=ids) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk) as heard:
            await asyncio.gather(*(trunk.dial(Dial(call, DIAL.to)) for call in calls))
            await heard.until(lambda now: set(failed) <= ended(now))
            await settled(trunk)
    told = {event.call_id: event.cause for event in heard.events if event.kind is REFUSED}
    too_fast = {call: cause for call, cause in failed.items() if cause == TOO_FAST}
    assert told == too_fast
    assert len(failed) > len(too_fast) > 30


def test_8_the_pace_is_below_what_a_switch_admits_unless_told_otherwise() -> None:
    sessions_per_s, sessions_of_a_call = 30, 2
    assert Settings.model_fields["calls_per_s"].default < sessions_per_s / sessions_of_a_call
