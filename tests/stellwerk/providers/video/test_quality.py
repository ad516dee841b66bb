"""The score of a video falls with everything that is wrong with it."""

from dataclasses import replace
from pathlib import Path

import pytest

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.ffmpeg import run_ffmpeg
from stellwerk.providers.script.protocol import Scene, Script, Style
from stellwerk.providers.video.captions import Caption
from stellwerk.providers.video.quality import Quality, measure

LENGTH_S = 8.0
WORDS = "a signal box sets points and signals for every train on its way through the station today"
SCRIPT = Script("T", "D", (), "en", Style.NEWS, LENGTH_S, (Scene("H", WORDS, (), 7.0),))
CAPTIONS = (
    Caption(0.5, 4.0, " ".join(WORDS.split()[:9])),
    Caption(4.0, 7.0, " ".join(WORDS.split()[9:])),
)
COLOURED, BLACK = "testsrc2=s=320x180:r=10", "color=black:s=320x180:r=10"
GOOD_SOUND, SILENCE = "loudnorm=I=-16", "volume=0"


def _video(
    path: Path, *, picture: str = COLOURED, sound: str = GOOD_SOUND, duration_s: float = LENGTH_S
) -> Path:
    run_ffmpeg(
        [
            *("-f", "lavfi", "-i", f"{picture}:d={duration_s}"),
            *("-f", "lavfi", "-i", f"anoisesrc=c=pink:a=0.9:d={duration_s}"),
            *("-af", sound, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
            *("-c:a", "aac", str(path)),
        ],
        timeout_s=240,
    )
    return path


def _measured(video: Path, script: Script = SCRIPT) -> Quality:
    return measure(video, script=script, captions=CAPTIONS)


@pytest.fixture(scope="module")
def good_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _video(tmp_path_factory.mktemp("good") / "video.mp4")


def test_a_good_video_scores_high_and_shows_its_parts(good_video: Path) -> None:
    quality = _measured(good_video)
    assert quality.score > 0.9
    assert set(quality.to_json()["parts"]) == {
        *("duration", "speech_rate", "loudness", "captions", "black", "silence")
    }
    assert quality.parts["duration"].value == pytest.approx(LENGTH_S, abs=0.1)
    assert quality.parts["loudness"].unit == "LUFS"


def test_the_wrong_length_costs(good_video: Path) -> None:
    quality = _measured(good_video, replace(SCRIPT, target_duration_s=LENGTH_S * 1.15))
    assert quality.parts["duration"].score < 0.6
    assert quality.score < _measured(good_video).score


def test_hurried_speech_costs(good_video: Path) -> None:
    hurried = replace(SCRIPT, scenes=(Scene("H", f"{WORDS} {WORDS} {WORDS}", (), 7.0),))
    assert _measured(good_video, hurried).parts["speech_rate"].score == 0


def test_missing_and_wrong_captions_cost(good_video: Path) -> None:
    some = measure(good_video, script=SCRIPT, captions=CAPTIONS[:1])
    assert some.parts["captions"].value == pytest.approx(9 / len(WORDS.split()), abs=0.01)
    none = measure(good_video, script=SCRIPT, captions=())
    assert none.parts["captions"].score == 0
    assert none.score == 0


def test_keywords_that_are_nowhere_cost(good_video: Path) -> None:
    wanted = replace(SCRIPT, keywords=("Signal box", "trains", "steam", "coal"))
    quality = _measured(good_video, wanted)
    assert quality.parts["keywords"].value == pytest.approx(0.25)
    assert 0 < quality.score < _measured(good_video).score


def test_keywords_that_are_shown_count_and_cost_nothing(good_video: Path) -> None:
    scene = replace(SCRIPT.scenes[0], bullets=("Steam and coal",))
    wanted = replace(SCRIPT, scenes=(scene,), keywords=("coal", "steam", "platform", "train"))
    assert _measured(good_video, wanted).parts["keywords"].value == pytest.approx(0.75)
    covered = replace(wanted, keywords=("coal", "signal"))
    assert _measured(good_video, covered).parts["keywords"].score == 1


def test_without_keywords_there_is_no_part_for_them(good_video: Path) -> None:
    assert "keywords" not in _measured(good_video).parts


def test_black_stretches_cost(tmp_path: Path) -> None:
    quality = _measured(_video(tmp_path / "black.mp4", picture=BLACK))
    assert quality.parts["black"].value == pytest.approx(LENGTH_S, abs=0.3)
    assert quality.parts["black"].score == 0


def test_a_whisper_costs(tmp_path: Path) -> None:
    quality = _measured(_video(tmp_path / "quiet.mp4", sound="volume=-34dB"))
    assert quality.parts["loudness"].score < 0.4


def test_silent_stretches_cost(tmp_path: Path) -> None:
    muted = "volume=0:enable='between(t,2,6)'"
    quality = _measured(_video(tmp_path / "pause.mp4", sound=muted))
    assert quality.parts["silence"].value == pytest.approx(4, abs=0.3)
    assert quality.parts["silence"].score < 0.2


def test_a_video_without_any_sound_is_worth_nothing(tmp_path: Path) -> None:
    assert _measured(_video(tmp_path / "silent.mp4", sound=SILENCE)).score == 0


def test_what_is_no_video_cannot_be_measured(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(ProviderUnavailable):
        _measured(path)
