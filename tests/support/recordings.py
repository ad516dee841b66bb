"""Recordings of a real switch's Event Socket: what was sent and received, byte for byte."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "freeswitch"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))
_MARKER = re.compile(rb"[=<>]{4} ([A-Z]+) t=\+([0-9.]+) len=([0-9]+)\n")


class What(StrEnum):
    """What a block of a recording is."""

    CONNECT = "CONNECT"
    SEND = "SEND"  # by the client
    RECV = "RECV"  # as one piece came from the network
    EOF = "EOF"


@dataclass(frozen=True, slots=True)
class Block:
    """One block, `at_s` seconds after the beginning."""

    what: What
    at_s: float
    data: bytes


@cache
def recording(name: str) -> tuple[Block, ...]:
    """All blocks of a recording."""
    rest = (FOLDER / f"{name}.txt").read_bytes()
    while rest.startswith(b"#"):
        rest = rest.partition(b"\n")[2]
    blocks = []
    while marker := _MARKER.match(rest):
        start, length = marker.end(), int(marker[3])
        data = rest[start : start + length]
        blocks.append(Block(What(marker[1].decode()), float(marker[2]), data))
        rest = rest[start + length + (1 if rest[start + length :].startswith(b"\n") else 0) :]
    if rest:
        raise ValueError(f"{name} has {len(rest)} bytes that are in no block.")
    return tuple(blocks)


def received(name: str) -> list[bytes]:
    """The pieces that came from the switch, as the network cut them."""
    return [block.data for block in recording(name) if block.what is What.RECV]


def sent(name: str) -> list[bytes]:
    """What the client sent."""
    return [block.data for block in recording(name) if block.what is What.SEND]
