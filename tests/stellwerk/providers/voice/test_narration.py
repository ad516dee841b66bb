"""A narration lasts as long as wanted, and knows when each scene is heard."""

from itertools import pairwise
from pathlib import Path

import pytest

from media_files import tone
from stellwerk.errors import ProviderUnavailable, Stopped
from stellwerk.providers.video.probe import mean_volume_db, streams
from stellwerk.providers.voice.narration import Narration, assemble
from stellwerk.providers.voice.protocol import Speech
from stellwerk.providers.voice.wav import duration_s

LENGTHS_S = (3.0, 5.0, 4.0)


@pytest.fixture
def speeches(tmp_path: Path) -> list[Speech]:
    paths = [tone(tmp_path / f"{s}.wav", duration_s=s, volume_db=-38) for s in LENGTHS_S]
    return [Speech(path, duration_s(path), 10) for path in paths]


@pytest.mark.parametrize("target_s", [13.5, 15.0, 17.5])
def test_it_lasts_as_long_as_wanted(
    speeches: list[Speech], tmp_path: Path, target_s: float
) -> None:
    narration = assemble(speeches, tmp_path / "narration.wav", target_s=target_s)
    assert narration.duration_s == pytest.approx(target_s, rel=0.01)
    (sound,) = streams(narration.path)
    assert (sound.codec, sound.sample_rate_hz) == ("pcm_s16le", 48_000)
    assert sound.duration_s == pytest.approx(narration.duration_s, abs=0.01)


def test_a_quiet_voice_becomes_as_loud_as_any(speeches: list[Speech], tmp_path: Path) -> None:
    assert mean_volume_db(speeches[0].path) < -34
    narration = assemble(speeches, tmp_path / "narration.wav")
    assert -24 < mean_volume_db(narration.path) < -12


def test_scenes_follow_each_other_without_a_gap(speeches: list[Speech], tmp_path: Path) -> None:
    narration = assemble(speeches, tmp_path / "narration.wav", target_s=15)
    assert narration.scenes[0].start_s == 0
    assert narration.scenes[-1].end_s == narration.duration_s
    assert all(before.end_s == after.start_s for before, after in pairwise(narration.scenes))
    for scene, speech in zip(narration.scenes, narration.speech, strict=True):
        assert scene.start_s < speech.start_s < speech.end_s < scene.end_s


def test_it_can_be_kept_as_json(speeches: list[Speech], tmp_path: Path) -> None:
    narration = assemble(speeches, tmp_path / "narration.wav")
    assert Narration.from_json(narration.to_json()) == narration


def test_silence_is_no_narration(tmp_path: Path) -> None:
    silent = tone(tmp_path / "silent.wav", duration_s=2, volume_db=-140)
    with pytest.raises(ProviderUnavailable, match="silent"):
        assemble([Speech(silent, 2.0, 10)], tmp_path / "narration.wav")


def test_it_stops_on_request_and_leaves_nothing_half_made(
    speeches: list[Speech], tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        assemble(speeches, tmp_path / "narration.wav", should_stop=lambda: True)
    assert not list(tmp_path.glob("narration*"))
