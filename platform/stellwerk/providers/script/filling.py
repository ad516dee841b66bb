"""How much of an outline is said so that it lasts a wanted time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

from stellwerk.providers.script.outline import Draft
from stellwerk.providers.script.sentences import Pace
from stellwerk.providers.voice.fitting import LEAD_IN_S, PAUSE_S, TAIL_S

OVER_AT_MOST = 1.05  # of the target; the narration's pauses and tempo take care of that


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

    def saying(self, index: int, count: int) -> "Filling":
        """The same, with `count` sentences said in scene `index`."""
        return Filling(self.drafts, (*self.said[:index], count, *self.said[index + 1 :]))


def least(drafts: Sequence[Draft]) -> Filling:
    """Only what is obligatory, and of that the least."""
    said = tuple(draft.least if draft.obligatory else 0 for draft in drafts)
    return Filling(tuple(drafts), said)


def everything(drafts: Sequence[Draft]) -> Filling:
    """All that the outline has to say."""
    return Filling(tuple(drafts), tuple(len(draft.says) for draft in drafts))


def fill(drafts: Sequence[Draft], target_s: float, pace: Pace) -> Filling:
    """What is core first, each scene's start before its depth; the last step lands nearest.

    A scene too long for what is left ends the adding of scenes: the order is not broken.
    """
    core = [index for index, draft in enumerate(drafts) if draft.core]
    filling = _with_more_scenes(least(drafts), core, target_s=target_s, pace=pace)
    filling = _with_more_depth(filling, core, target_s=target_s, pace=pace)
    if _is_complete(filling, core):
        filling = _with_more_scenes(filling, range(len(drafts)), target_s=target_s, pace=pace)
    filling = _with_more_depth(filling, range(len(drafts)), target_s=target_s, pace=pace)
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
        longer = filling.saying(index, min(draft.least + 1, len(draft.says)))
        if longer.seconds(pace) > target_s:
            break
        filling = longer
    return filling


def _with_more_depth(
    filling: Filling, scenes: Iterable[int], *, target_s: float, pace: Pace
) -> Filling:
    """One sentence more for each scene in turn, as long as any fits."""
    deepest = max(len(draft.says) for draft in filling.drafts)
    for index in chain.from_iterable(repeat(tuple(scenes), deepest)):
        said = filling.said[index]
        if 0 < said < len(filling.drafts[index].says):
            longer = filling.saying(index, said + 1)
            filling = longer if longer.seconds(pace) <= target_s else filling
    return filling


def _one_step_on(filling: Filling) -> list[Filling]:
    return [
        filling.saying(index, max(draft.least, filling.said[index] + 1))
        for index, draft in enumerate(filling.drafts)
        if filling.said[index] < len(draft.says)
    ]
