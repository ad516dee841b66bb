"""Calls by the command line; the switch's part is played by the test."""

import json
from typing import Any
from uuid import UUID

import pytest

from calling import NUMBER, claim, event, hold_trunk, told
from command_line import EMAIL, CommandLine
from embedded import wait_until
from full_stack import PASSWORD
from stellwerk.bootstrap import Platform
from stellwerk.calls.states import CallState
from stellwerk.providers.calls.protocol import EventKind

ANSWERED = (EventKind.CREATED, EventKind.RINGING, EventKind.ANSWERED)


@pytest.fixture
def calling(working: CommandLine, platform: Platform) -> CommandLine:
    """Signed in for calls, with workers, and a trunk that is held."""
    hold_trunk(platform)
    options = ("--email", EMAIL, "--password-stdin", "--audience", "telephony")
    working.done("login", *options, typed=f"{PASSWORD}\n")
    return working


def dialled(platform: Platform) -> UUID:
    """The call that is due next, as the telephony process claims it."""
    found: list[UUID] = []

    def is_due() -> bool:
        found.extend(dial.call_id for dial in claim(platform))
        return bool(found)

    wait_until(is_due)
    return found[0]


def hung_up(platform: Platform, call_id: UUID, cause: str, *before: EventKind) -> None:
    for number, kind in enumerate(before):
        told(platform, event(call_id, kind, number))
    told(platform, event(call_id, EventKind.HUNG_UP, 33, cause=cause))


def test_a_call_is_followed_to_its_end_and_found_again(
    calling: CommandLine, platform: Platform
) -> None:
    process = calling.start("calls", "originate", "030 12341005", "--timeout", "30")
    call_id = dialled(platform)
    hung_up(platform, call_id, "NORMAL_CLEARING", *ANSWERED)
    _, said = process.communicate(timeout=240)

    assert process.returncode == 0, said
    lines = [line.strip() for line in said.splitlines()]
    assert lines[0] == f"accepted as {call_id}"
    told_of = [line for line in lines if line in list(CallState) and line != "queued"]
    assert told_of == ["dialing", "ringing", "answered", "completed"]  # as short as they were
    assert f"{call_id}: completed (NORMAL_CLEARING)" in lines
    assert "31 s, 31 s billable, 0.02 EUR" in lines
    (found,) = calling.json("calls", "history", "--number", "+49 30 12341005")
    assert (found["call_id"], found["to"]) == (str(call_id), NUMBER)
    assert calling.json("calls", "history", "--state", "busy") == []
    listed = calling.done("calls", "history")
    assert "completed" in listed
    assert "0.02 EUR" in listed


def test_a_busy_number_is_told_by_the_exit_code(calling: CommandLine, platform: Platform) -> None:
    process = calling.start("calls", "originate", NUMBER, "--json")
    hung_up(platform, dialled(platform), "USER_BUSY", EventKind.CREATED)
    out, said = process.communicate(timeout=240)
    assert process.returncode == 7, said
    documents: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert (documents[-1]["state"], documents[-1]["hangup_cause"]) == ("busy", "USER_BUSY")


def test_a_call_is_hung_up_and_the_one_who_follows_it_hears_that(
    calling: CommandLine, platform: Platform
) -> None:
    call_id = calling.done("calls", "originate", NUMBER, "--no-follow").strip()
    assert dialled(platform) == UUID(call_id)
    following = calling.start("calls", "status", call_id, "--follow")
    assert calling.json("calls", "hangup", call_id)["state"] == "dialing"
    hung_up(platform, UUID(call_id), "ORIGINATOR_CANCEL", EventKind.CREATED)
    _, said = following.communicate(timeout=240)
    assert following.returncode == 6, said
    assert calling.run("calls", "hangup", call_id).code == 4


def test_what_is_refused_is_said_with_its_field(
    calling: CommandLine,
) -> None:
    refused = calling.run("calls", "originate", "+49301234100{5}")
    assert refused.code == 4
    assert "  to: Only digits" in refused.err
