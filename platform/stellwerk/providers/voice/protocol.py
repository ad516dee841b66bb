"""What a voice can do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stellwerk.providers.pricing import Usage
from stellwerk.providers.subprocesses import never


@dataclass(frozen=True, slots=True)
class Passage:
    """A text to speak and the WAV file that it becomes."""

    text: str
    path: Path


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken passage: 16-bit PCM mono WAV."""

    path: Path
    duration_s: float
    characters: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """The result of one call, in the order of its passages."""

    speeches: tuple[Speech, ...]
    usage: tuple[Usage, ...]


class Voice(Protocol):
    """Speaks passages of text into WAV files.

    One `Voice` gives every file the same sample rate, so that a narration can join them.
    """

    @property
    def languages(self) -> frozenset[str]:
        """Primary language subtags that it speaks."""

    @property
    def batch_size(self) -> int:
        """How many passages one call should get; 1 where each is paid for by itself."""

    def speak(
        self, passages: Sequence[Passage], *, language: str, should_stop: Callable[[], bool] = never
    ) -> Spoken:
        """Speak each passage in the language of the BCP 47 tag `language`.

        Raises InvalidInput for a language without a voice, ProviderUnavailable,
        ProviderRejected, and Stopped when `should_stop` says so.
        """
