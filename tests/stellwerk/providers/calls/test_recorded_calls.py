"""What the trunk tells of calls that a real switch made, played from its recordings."""

from uuid import UUID

import pytest

from listening import in_a_loop
from recorded_calls import CALL, dialled
from stellwerk.providers.calls.freeswitch.dial_strings import job_of
from stellwerk.providers.calls.protocol import EventKind, Leg

CREATED, RINGING, ANSWERED = EventKind.CREATED, EventKind.RINGING, EventKind.ANSWERED
EARLY_MEDIA = EventKind.EARLY_MEDIA

ENDED = [
    ("05_originate_success", {CREATED, ANSWERED}, "NORMAL_CLEARING", 3),
    ("06_originate_busy", {CREATED}, "USER_BUSY", 0),
    ("07_no_answer_originate_timeout", {CREATED, RINGING}, "NO_ANSWER", 0),
    ("07b_no_answer_positional_timeout", {CREATED, RINGING}, "NO_ANSWER", 0),
    ("07c_no_answer_leg_timeout", {CREATED, RINGING}, "ALLOTTED_TIMEOUT", 0),
    ("07e_callee_gives_up", {CREATED, RINGING}, "NO_ANSWER", 0),
    ("08c_invalid_extension", {CREATED}, "NO_ROUTE_DESTINATION", 0),
    ("10_json_success", {CREATED, ANSWERED}, "NORMAL_CLEARING", 3),
    ("10b_json_busy", {CREATED}, "USER_BUSY", 0),
    ("13_sip_1000", {CREATED, ANSWERED}, "NORMAL_CLEARING", 3),
    ("13_sip_1001", {CREATED}, "USER_BUSY", 0),
    ("13_sip_1002", {CREATED, RINGING}, "NO_ANSWER", 0),
    ("13_sip_1003", {CREATED}, "UNALLOCATED_NUMBER", 0),
    ("13_sip_1004", {CREATED}, "CALL_REJECTED", 0),
    ("13_sip_1005", {CREATED, RINGING, ANSWERED}, "NORMAL_CLEARING", 3),
    ("13_sip_1005_json", {CREATED, RINGING, ANSWERED}, "NORMAL_CLEARING", 3),
    ("13_sip_1006", {CREATED, EARLY_MEDIA, ANSWERED}, "NORMAL_CLEARING", 3),
    ("13_sip_1006_ignore_early_media", {CREATED, EARLY_MEDIA, ANSWERED}, "NORMAL_CLEARING", 3),
    ("13_sip_1007", {CREATED, RINGING}, "USER_BUSY", 0),
    ("13_sip_1008_no_ringing", {CREATED}, "NO_ANSWER", 0),
    ("13_sip_1009", {CREATED}, "NORMAL_CIRCUIT_CONGESTION", 0),
    ("13_sip_4711", {CREATED}, "NO_ROUTE_DESTINATION", 0),
    ("13_sip_deadtrunk", {CREATED}, "NORMAL_TEMPORARY_FAILURE", 0),
    ("25b_originate_playback", {CREATED, ANSWERED}, "NORMAL_CLEARING", 2),
    ("25e_sched_hangup", {ANSWERED}, "ALLOTTED_TIMEOUT", 2),
]


@pytest.mark.parametrize(("name", "stages", "cause", "billable_s"), ENDED)
@in_a_loop
async def test_a_call_goes_through_its_stages_and_ends_with_its_cause(
    name: str, stages: set[EventKind], cause: str, billable_s: int
) -> None:
    async with dialled(name) as (heard, _, _):
        end = await heard.until_kind(EventKind.HUNG_UP)
        await heard.until(lambda now: stages <= set(now.kinds()))
    assert set(heard.kinds()) == stages | {EventKind.HUNG_UP}
    assert (end.cause, end.billable_s) == (cause, billable_s)
    assert {(event.call_id, event.leg) for event in heard.events} == {(CALL, Leg.TO)}
    assert len({event.key for event in heard.events}) == len(heard.events)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("08_invalid_gateway", "INVALID_GATEWAY"),
        ("08b_invalid_endpoint", "CHAN_NOT_IMPLEMENTED"),
        ("13_sip_downtrunk", "GATEWAY_DOWN"),
    ],
)
@in_a_loop
async def test_a_call_that_never_had_a_channel_was_refused(name: str, cause: str) -> None:
    async with dialled(name) as (heard, _, switch):
        end = await heard.until_kind(EventKind.REFUSED)
    assert (end.cause, heard.kinds()) == (cause, [EventKind.REFUSED])
    assert f"api uuid_exists {CALL}\n\n".encode() in switch.heard


@in_a_loop
async def test_the_switch_works_under_the_name_that_follows_from_the_call() -> None:
    async with dialled("13_sip_1001") as (heard, _, switch):
        await heard.until_kind(EventKind.HUNG_UP)
    (command,) = [line for line in switch.heard if line.startswith(b"bgapi")]
    assert f"\nJob-UUID: {job_of(CALL)}\n\n".encode() in command
    assert job_of(CALL) == job_of(UUID(str(CALL))) != CALL
