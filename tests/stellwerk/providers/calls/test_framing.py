"""Frames out of bytes, however the network cuts them: by what a real switch sent."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings import NAMES, received
from stellwerk.providers.calls.freeswitch.framing import (
    EVENTS,
    MOST_HEADER_BYTES,
    REPLIES,
    BadFrame,
    Frame,
    Framer,
    Kind,
    event_of,
)

OTHERS = {Kind.AUTH_REQUEST, Kind.DISCONNECT, Kind.REJECTION}
SMALL = ["04_api_status_version", "08_invalid_gateway", "10b_json_busy", "15_own_job_uuid"]


def frames(pieces: list[bytes]) -> list[Frame]:
    framer = Framer()
    return [frame for piece in pieces for frame in framer.feed(piece)]


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_frames_from_its_first_byte_to_its_last(name: str) -> None:
    pieces = received(name)
    found = frames(pieces)
    assert {frame.kind for frame in found} <= EVENTS | REPLIES | OTHERS
    heads = b"".join(pieces).count(b"Content-Type: ")
    assert heads == len(found)
    for frame in found:
        assert len(frame.body) == int(frame.headers.get("Content-Length", "0"))
        if frame.kind in EVENTS:
            assert event_of(frame).name
            assert event_of(frame).headers["Core-UUID"]


@pytest.mark.parametrize("name", NAMES)
def test_cut_anew_at_any_byte_it_is_the_same_frames(name: str) -> None:
    stream, chance = b"".join(received(name)), random.Random(name)  # noqa: S311  no secret
    cuts = sorted(chance.sample(range(len(stream) + 1), k=min(200, len(stream))))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    assert frames(pieces) == frames([stream]) == frames(received(name))


@pytest.mark.parametrize("name", SMALL)
def test_byte_by_byte_it_is_the_same_frames(name: str) -> None:
    stream = b"".join(received(name))
    assert frames([stream[place : place + 1] for place in range(len(stream))]) == frames([stream])


@given(st.sampled_from(SMALL), st.lists(st.integers(1, 4000), max_size=60))
@settings(max_examples=50, deadline=None)
def test_whatever_the_pieces_the_frames_are_the_same(name: str, sizes: list[int]) -> None:
    stream, pieces, start = b"".join(received(name)), [], 0
    for size in sizes:
        pieces.append(stream[start : start + size])
        start += size
    assert frames([*pieces, stream[start:]]) == frames([stream])


def test_a_body_is_as_many_bytes_as_its_length_says_not_characters() -> None:
    body = "Jörg, 東京".encode()
    (frame, after) = frames(
        [
            b"Content-Length: %d\nContent-Type: api/response\n\n" % len(body),
            body[:2],
            body[2:] + b"Content-Type: auth/request\n\n",
        ]
    )
    assert (frame.text, after.kind) == ("Jörg, 東京", Kind.AUTH_REQUEST)


def test_the_length_may_come_first_or_last() -> None:
    kinds = [
        frame.headers
        for name in ("05_originate_success", "04_api_status_version")
        for frame in frames(received(name))
        if "Content-Length" in frame.headers
    ]
    firsts = {next(iter(headers)) for headers in kinds}
    assert firsts == {"Content-Length", "Content-Type"}


def test_an_event_has_its_values_decoded_and_a_body_of_its_own_length() -> None:
    (job,) = [
        event_of(frame) for frame in frames(received("08_invalid_gateway")) if frame.kind in EVENTS
    ]
    assert job.headers["Job-Command-Arg"].startswith("{origination_uuid=")
    assert job.body == "-ERR INVALID_GATEWAY\n"
    assert int(job.headers["Content-Length"]) == len(job.body)


def test_a_name_that_json_has_twice_is_read_once() -> None:
    frame = next(
        frame
        for frame in frames(received("10b_json_busy"))
        if frame.body.count(b'"Hangup-Cause"') == 2
    )
    assert event_of(frame).headers["Hangup-Cause"] == "USER_BUSY"


@pytest.mark.parametrize(
    "stream",
    [
        b"Content-Type: api/response\nContent-Length: -1\n\n",
        b"Content-Type: api/response\nContent-Length: many\n\n",
        b"Content-Type: api/response\nContent-Length: 99999999999\n\n",
        "Content-Type: api/response\nContent-Length: ٣\n\n".encode(),
        b"x" * (MOST_HEADER_BYTES + 1),
    ],
)
def test_what_is_no_frame_is_refused(stream: bytes) -> None:
    with pytest.raises(BadFrame):
        Framer().feed(stream)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.EVENT_JSON, b"{"),
        (Kind.EVENT_JSON, b"[]"),
        (Kind.EVENT_PLAIN, b"Event-Name: X\nContent-Length: 9\n\nshort"),
    ],
)
def test_what_is_no_event_is_refused(kind: Kind, body: bytes) -> None:
    with pytest.raises(BadFrame):
        event_of(Frame({"Content-Type": kind}, body))
