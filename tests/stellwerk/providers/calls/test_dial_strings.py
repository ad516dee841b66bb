"""The one command that begins a call: what is in it, and what never gets into it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listening import listening
from recorded_calls import CALL, DIAL, socket_at
from stellwerk.errors import ConfigurationError, ProviderRejected
from stellwerk.providers.calls.freeswitch.dial_strings import (
    DialPlan,
    job_of,
    originate,
    second_leg,
)
from stellwerk.providers.calls.freeswitch.trunk import FreeSwitchTrunk
from stellwerk.providers.calls.protocol import Dial

PLAN = DialPlan(announcement="/sounds/announcement.wav")
TO, FIRST, SHOWN = "+493012341005", "+493012341010", "+4930555"

# What may stand in a command, and nothing else: one originate, its variables, one destination of
# digits, one application, and the header that names the job.
UUIDS = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
QUOTED = r"'(?:sched_hangup \+\d+ ALLOTTED_TIMEOUT|(?:playback|record_session) /[A-Za-z0-9/._-]+)'"
VARIABLES = rf"\^\^;[A-Za-z_0-9]+=(?:{QUOTED}|[+\w-]+)(?:;[A-Za-z_0-9]+=(?:{QUOTED}|[+\w-]+))*"
NUMBER = r"sofia/gateway/trunk/\+[1-9][0-9]{6,14}"
APP = (
    r"(?:&park\(\)|'record_session:/[A-Za-z0-9/._-]+,park:' inline"
    rf"|&bridge\(\[{VARIABLES}\]{NUMBER}\))"
)
COMMAND = re.compile(
    rf"bgapi originate \{{{VARIABLES}\}}{NUMBER} {APP}\nJob-UUID: {UUIDS}\n\n", re.ASCII
)
NASTY = st.text(alphabet=st.sampled_from("+0123456789\n\r\0{}[](),;|'\"\\ $&^:٣é"), max_size=40)
NUMBERS = st.one_of(st.just(TO), st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), NASTY)
PATHS = st.one_of(st.just("/rec/a.wav"), NASTY.map(lambda text: f"/rec/{text}"))


@asynccontextmanager
async def recorder() -> AsyncIterator[tuple[int, bytearray]]:
    """A raw socket that lets anybody in, says yes to everything, and keeps what it was sent."""
    got = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Content-Type: auth/request\n\n")
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                got.extend(await reader.readuntil(b"\n\n"))
                yes = b"Content-Type: command/reply\nReply-Text: +OK Job-UUID: yes\n\n"
                writer.write(yes)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], got
    finally:
        server.close()


async def sent_for(dials: list[Dial]) -> tuple[bytes, int]:
    """What reached the socket after signing in, and how many of the calls were taken."""
    async with recorder() as (port, got):
        trunk = FreeSwitchTrunk(socket_at(port), PLAN, dials_per_s=10)
        async with listening(trunk):
            signed_in, taken = len(got), 0
            for dial in dials:
                with suppress(ProviderRejected):
                    await trunk.dial(dial)
                    taken += 1
        return bytes(got[signed_in:]), taken


DIALS = st.builds(
    Dial,
    call_id=st.uuids(),
    to=NUMBERS,
    first=st.one_of(st.none(), NUMBERS),
    caller_id=st.one_of(st.none(), NUMBERS),
    ring_timeout_s=st.integers(-5, 100_000),
    max_duration_s=st.integers(-5, 100_000),
    recording=st.one_of(st.none(), PATHS.map(Path)),
)


@given(st.lists(DIALS, min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_whatever_a_call_holds_one_well_formed_command_reaches_the_socket_or_none(
    dials: list[Dial],
) -> None:
    got, taken = asyncio.run(sent_for(dials))
    text = got.decode("ascii")
    commands = COMMAND.findall(text)
    assert "".join(commands) == text
    assert len(commands) == taken


@pytest.mark.parametrize("field", ["to", "first", "caller_id"])
@pytest.mark.parametrize(
    "value",
    [
        "",
        "110",
        "4930123410",
        "+0301234567",
        "+49301234\n",
        "+49301234\n\napi status",
        "+49301234,loopback/1000",
        "+49301234|+49301235",
        "+49301234:_:1",
        "+4930${hostname}",
        "[a=b]+49301234",
        "{a=b}+49301234",
        "+49 30 1234567",
        "+٤٩٣٠١٢٣٤",
        "+\uff14\uff19\uff13\uff10\uff11\uff12\uff13\uff14",
        "+493012341005" * 800,
    ],
)
def test_what_is_no_plain_number_is_refused_without_repeating_it(field: str, value: str) -> None:
    dial = Dial(**{"call_id": CALL, "to": TO} | {field: value})  # type: ignore[arg-type]  # str
    with pytest.raises(ProviderRejected) as refused:
        originate(dial, PLAN)
    assert not value or value not in str(refused.value)


def test_a_plain_call_is_parked_under_its_own_id_and_ends_at_its_longest() -> None:
    line, header = originate(Dial(CALL, TO, ring_timeout_s=30, max_duration_s=600), PLAN)
    assert line == (
        f"bgapi originate {{^^;origination_uuid={CALL};stellwerk_call={CALL};stellwerk_leg=to;"
        "originate_timeout=30;ignore_early_media=true;"
        "execute_on_answer='sched_hangup +600 ALLOTTED_TIMEOUT'}"
        f"sofia/gateway/trunk/{TO} &park()"
    )
    assert header == f"Job-UUID: {job_of(CALL)}"


def test_click_to_call_rings_the_first_and_bridges_the_other_under_an_id_that_follows() -> None:
    line, _ = originate(Dial(CALL, TO, first=FIRST, max_duration_s=600), PLAN)
    variables, _, rest = line.partition("}")
    destination, _, app = rest.partition(" ")
    assert f"origination_uuid={CALL};" in variables
    assert "stellwerk_leg=first;" in variables
    assert f"origination_caller_id_number={TO}" in variables
    assert destination == f"sofia/gateway/trunk/{FIRST}"
    assert app.startswith(f"&bridge([^^;origination_uuid={second_leg(CALL)};stellwerk_call={CALL};")
    assert "sched_hangup +600 ALLOTTED_TIMEOUT" in app
    assert app.endswith(f"]sofia/gateway/trunk/{TO})")


def test_both_parties_see_the_number_that_is_to_be_shown() -> None:
    line, _ = originate(Dial(CALL, TO, first=FIRST, caller_id=SHOWN + "123"), PLAN)
    assert line.count(f"origination_caller_id_number={SHOWN}123") == 2


@pytest.mark.parametrize("first", [None, FIRST])
def test_who_is_recorded_hears_the_announcement_first(first: str | None) -> None:
    line, _ = originate(Dial(CALL, TO, first=first, recording=Path("/rec/a.wav")), PLAN)
    played = "group_confirm_key=exec;group_confirm_file='playback /sounds/announcement.wav'"
    assert line.count(played) == (1 if first is None else 2)
    assert line.count("record_session") == 1
    assert ("RECORD_BRIDGE_REQ=true" in line) == (first is not None)


def test_without_an_announcement_nothing_is_recorded() -> None:
    with pytest.raises(ProviderRejected, match="announcement"):
        originate(Dial(CALL, TO, recording=Path("/rec/a.wav")), DialPlan())


@pytest.mark.parametrize("path", ["rec/a.wav", "/rec/../a.wav", "/rec/a b.wav", "/rec/${x}.wav"])
def test_a_recordings_path_is_plain_and_absolute(path: str) -> None:
    with pytest.raises(ProviderRejected):
        originate(Dial(CALL, TO, recording=Path(path)), PLAN)


def test_another_destination_can_be_set() -> None:
    line, _ = originate(DIAL, DialPlan(template="loopback/{number}/default"))
    assert f"}}loopback/{DIAL.to}/default &park()" in line


@pytest.mark.parametrize(
    "plan",
    [
        {"gateway": "a b"},
        {"gateway": "a\n"},
        {"gateway": ""},
        {"template": "sofia/x"},
        {"template": "{number},{number}"},
        {"template": "sofia/x/{number}\n"},
        {"announcement": "a.wav"},
        {"announcement": "/a b.wav"},
    ],
)
def test_settings_that_could_break_the_command_are_refused_at_the_start(
    plan: dict[str, str],
) -> None:
    with pytest.raises(ConfigurationError):
        DialPlan(**plan)


def test_ids_that_follow_from_a_call_are_always_the_same_and_never_each_others() -> None:
    other = UUID(int=CALL.int + 1)
    ids = [CALL, job_of(CALL), second_leg(CALL), other, job_of(other), second_leg(other)]
    assert len(set(ids)) == len(ids)
    assert str(job_of(UUID(int=1))) == str(job_of(UUID(int=1)))
