"""Captions: the script's words, in portions that can be read, at the time they are heard."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

from stellwerk.errors import InvalidInput
from stellwerk.providers.script.protocol import Script
from stellwerk.providers.script.sentences import split_sentences
from stellwerk.providers.voice.narration import Span

LINE_CHARACTERS = 42
LINES_AT_MOST = 2
PAUSE_CHARACTERS = 4  # how many characters' time the pause after a portion takes
_CUE = re.compile(
    r"\d+\n(\d+):(\d+):(\d+),(\d+) --> (\d+):(\d+):(\d+),(\d+)\n(.+?)(?:\n\n|\n?\Z)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Caption:
    """Text shown from `start_s` to `end_s`, in at most two lines of 42 characters."""

    start_s: float
    end_s: float
    text: str


def captions_of(script: Script, speech: Sequence[Span]) -> tuple[Caption, ...]:
    """Captions for every scene of `script`, spoken at the times of `speech`.

    Joined and with line breaks read as spaces, they are the narration to the letter.
    """
    return tuple(
        caption
        for scene, span in zip(script.scenes, speech, strict=True)
        for caption in _timed(_portions(scene.narration), span)
    )


def write_srt(captions: Iterable[Caption], path: Path) -> Path:
    """Write SubRip (UTF-8), which players and YouTube read."""
    cues = (
        f"{number}\n{_stamp(caption.start_s)} --> {_stamp(caption.end_s)}\n{caption.text}\n"
        for number, caption in enumerate(captions, start=1)
    )
    path.write_text("\n".join(cues), encoding="utf-8")
    return path


def read_srt(path: Path) -> tuple[Caption, ...]:
    """Read SubRip; raises InvalidInput where the file holds no cue."""
    text = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    captions = tuple(
        Caption(_seconds(cue[0:4]), _seconds(cue[4:8]), cue[8]) for cue in _CUE.findall(text)
    )
    if not captions:
        raise InvalidInput(f"{path.name} holds no captions.")
    return captions


def _portions(narration: str) -> list[str]:
    lines = [_balanced(sentence) for sentence in split_sentences(narration)]
    portions = [
        "\n".join(part[start : start + LINES_AT_MOST])
        for part in lines
        for start in range(0, len(part), LINES_AT_MOST)
    ]
    return _with_short_ones_joined(portions)


def _balanced(sentence: str) -> list[str]:
    """As few lines as possible, and of these the most even."""
    fewest = len(_wrapped(sentence, LINE_CHARACTERS))
    widths = range(LINE_CHARACTERS // 2, LINE_CHARACTERS + 1)
    return next(lines for width in widths if len(lines := _wrapped(sentence, width)) == fewest)


def _wrapped(sentence: str, width: int) -> list[str]:
    return textwrap.wrap(sentence, width, break_long_words=False, break_on_hyphens=False)


def _with_short_ones_joined(portions: Sequence[str]) -> list[str]:
    """Neighbours that fit on one line together are shown together: nothing flashes by."""
    joined: list[str] = []
    for portion in portions:
        if joined and len(f"{joined[-1]} {portion}") <= LINE_CHARACTERS:
            joined[-1] = f"{joined[-1]} {portion}"
        else:
            joined.append(portion)
    return joined


def _timed(portions: Sequence[str], span: Span) -> list[Caption]:
    """Time shared out by the number of characters."""
    weights = [len(portion) + PAUSE_CHARACTERS for portion in portions]
    whole = sum(weights)
    ends = (span.start_s + span.duration_s * part / whole for part in accumulate(weights))
    times = pairwise([span.start_s, *ends])
    return [Caption(*time, portion) for time, portion in zip(times, portions, strict=True)]


def _stamp(time_s: float) -> str:
    minutes, milliseconds = divmod(round(time_s * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{seconds:02},{milliseconds:03}"


def _seconds(stamp: Sequence[str]) -> float:
    hours, minutes, seconds, milliseconds = map(int, stamp)
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
