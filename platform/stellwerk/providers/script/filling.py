"""How much of an outline is said so that it lasts a wanted time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

from stellwerk.providers.script.draft import Draft
from stellwerk.providers.script.sentences import Pace
from stellwerk.providers.voice.fitting import LEAD_IN_S, PAUSE_S, TAIL_S

OVER_AT_MOST = 1.05  # of the target; the narration's pauses and tempo take care of that
NEAR_ENOUGH = 0.12  # of the target; what is farther off is tried without a closing


@dataclass(frozen=True, slots=True)
class Filling:
    """How many sentences each draft of an outline says; 0 leaves it out."""

    drafts: tuple[Draft, ...]
    said: tuple[int, ...]

    def seconds(self, pace: Pace) -> float:
        """Spoken length with the pauses between scenes."""
        scenes = sum(1 for count in self.said if count)
        speech_s = sum(
            pace.seconds(draft.says[:count])
            for draft, count in zip(self.drafts, self.said, strict=True)
        )
        return speech_s + LEAD_IN_S + TAIL_S + PAUSE_S * max(0, scenes - 1)

    @property
    def points(self) -> int:
        """How many scenes there are between opening and closing."""
        return sum(
            1
            for draft, count in zip(self.drafts, self.said, strict=True)
            if count and not draft.frame
        )

    def limit(self, index: int) -> int:
        """How many sentences scene `index` may say, given what the others say."""
        draft = self.drafts[index]
        return draft.alone if draft.frame and self.points <= 1 else len(draft.says)

    def saying(self, index: int, count: int) -> "Filling":
        """The same, with `count` sentences said in scene `index`."""
        return Filling(self.drafts, (*self.said[:index], count, *self.said[index + 1 :]))


def least(drafts: Sequence[Draft]) -> Filling:
    """Only what is obligatory, and of that the least."""
    said = tuple(draft.least if draft.obligatory else 0 for draft in drafts)
    return Filling(tuple(drafts), said)


def _starts(drafts: Sequence[Draft], target_s: float, pace: Pace) -> list[Filling]:
    """The least, the same without the closing, and that with one opening sentence; what fits."""
    whole = least(drafts)
    unclosed = whole.saying(len(drafts) - 1, 0)
    starts = [whole, unclosed, unclosed.saying(0, 1)]
    return [each for each in starts if each.seconds(pace) <= target_s * OVER_AT_MOST] or starts[-1:]


def everything(drafts: Sequence[Draft]) -> Filling:
    """All that the outline has to say."""
    return Filling(tuple(drafts), tuple(len(draft.says) for draft in drafts))


def fill(drafts: Sequence[Draft], target_s: float, pace: Pace) -> Filling:
    """What is core first, each scene's start before its depth; the last step lands nearest.

    A scene too long for what is left ends the adding of scenes: the order is not broken.
    The closing is done without where the length cannot be met otherwise.
    """

    def error(filling: Filling) -> float:
        return abs(target_s - filling.seconds(pace))

    found = []
    for start in _starts(drafts, target_s, pace):
        found.append(_filled_from(start, target_s, pace))
        if error(found[-1]) <= NEAR_ENOUGH * target_s:
            return found[-1]
    return min(found, key=error)


def _filled_from(start: Filling, target_s: float, pace: Pace) -> Filling:
    scenes = range(len(start.drafts))
    core = [index for index in scenes if start.drafts[index].core]
    filling = _with_more_scenes(start, core, target_s=target_s, pace=pace)
    filling = _with_more_depth(filling, core, target_s=target_s, pace=pace)
    if _is_complete(filling, core):
        filling = _with_more_scenes(filling, scenes, target_s=target_s, pace=pace)
    filling = _with_more_depth(filling, scenes, target_s=target_s, pace=pace)
    candidates = [filling, *_one_step_on(filling)]
    fitting = [each for each in candidates if each.seconds(pace) <= target_s * OVER_AT_MOST]
    return min(fitting or [filling], key=lambda each: abs(target_s - each.seconds(pace)))


def _is_complete(filling: Filling, scenes: Iterable[int]) -> bool:
    return all(filling.said[index] == len(filling.drafts[index].says) for index in scenes)


def _with_more_scenes(
    filling: Filling, scenes: Iterable[int], *, target_s: float, pace: Pace
) -> Filling:
    for index in scenes:
        draft = filling.drafts[index]
        if filling.said[index]:
            continue
        usual = filling.saying(index, min(draft.least + 1, filling.limit(index)))
        choices = (usual, filling.saying(index, draft.least))
        fitting = [each for each in choices if each.seconds(pace) <= target_s]
        if not fitting:
            break
        filling = fitting[0]
    return filling


def _with_more_depth(
    filling: Filling, scenes: Iterable[int], *, target_s: float, pace: Pace
) -> Filling:
    """One sentence more for each scene in turn, as long as any fits."""
    deepest = max(len(draft.says) for draft in filling.drafts)
    for index in chain.from_iterable(repeat(tuple(scenes), deepest)):
        said = filling.said[index]
        if 0 < said < filling.limit(index):
            longer = filling.saying(index, said + 1)
            filling = longer if longer.seconds(pace) <= target_s else filling
    return filling


def _one_step_on(filling: Filling) -> list[Filling]:
    return [
        filling.saying(index, max(draft.least, filling.said[index] + 1))
        for index, draft in enumerate(filling.drafts)
        if filling.said[index] < filling.limit(index)
    ]
