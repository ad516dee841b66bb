"""Each instance has a place of its own, and keeps it."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

import pytest

from stellwerk.bootstrap import Platform
from stellwerk.errors import ErrorCode, JobFailed
from stellwerk.modules import slots


def claimed(platform: Platform, instance_id: str) -> int:
    with platform.runtime.sessions.begin() as session:
        return slots.claim(session, platform.settings, "clock", instance_id)


def test_instances_at_once_get_places_of_their_own(platform: Platform) -> None:
    ids = [uuid4().hex for _ in range(12)]
    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda one: claimed(platform, one), ids))
    assert len(set(places)) == 12
    assert [claimed(platform, one) for one in ids] == places


def test_a_place_that_was_given_back_is_the_next(platform: Platform) -> None:
    ids = [uuid4().hex for _ in range(3)]
    places = [claimed(platform, one) for one in ids]
    with platform.runtime.sessions.begin() as session:
        slots.release(session, ids[1])
    assert claimed(platform, uuid4().hex) == places[1]


def test_a_place_whose_port_another_program_has_is_passed_over(platform: Platform) -> None:
    first = claimed(platform, uuid4().hex)
    with socket.socket() as other:
        with suppress(OSError):  # another program has it indeed
            other.bind(("127.0.0.1", platform.settings.module_port(first + 1, 2)))
            other.listen()
        assert claimed(platform, uuid4().hex) > first + 1


def test_there_are_no_more_places_than_settings_say(platform: Platform) -> None:
    last = claimed(platform, uuid4().hex)  # the first, unless others have its ports
    few = platform.settings.model_copy(update={"module_instances": last + 1})
    with platform.runtime.sessions.begin() as session, pytest.raises(JobFailed) as told:
        slots.claim(session, few, "clock", uuid4().hex)
    assert told.value.code is ErrorCode.MODULE_PLACES_TAKEN


def test_the_ports_of_a_place_take_turns_and_its_user_stays(platform: Platform) -> None:
    settings = platform.settings
    first = [settings.module_port(slot, 1) for slot in range(3)]
    second = [settings.module_port(slot, 2) for slot in range(3)]
    assert len({*first, *second}) == 6
    assert first == [settings.module_port(slot, 3) for slot in range(3)]
    users = [settings.module_user(port) for port in first]
    assert users == [settings.module_user(port) for port in second]
    assert len(set(users)) == 3
