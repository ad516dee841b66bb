"""A rendered video opens in a real player and shows each scene in its time."""

from pathlib import Path

import av
import psutil
import pytest
from PIL import Image

from stellwerk.errors import Stopped
from stellwerk.providers.video.captions import Caption, write_srt
from stellwerk.providers.video.probe import length_s, mean_volume_db, streams
from stellwerk.providers.video.render import Rendered, render_video
from stellwerk.providers.voice.narration import Narration

pytestmark = pytest.mark.xdist_group("render")  # else each test process renders the same


def _picture_at(video: Path, time_s: float) -> Image.Image:
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            if frame.time >= time_s:
                return Image.fromarray(frame.to_ndarray(format="rgb24"))
    raise AssertionError(f"no frame at {time_s} s")


def _colour_at(video: Path, time_s: float) -> tuple[int, ...]:
    with _picture_at(video, time_s) as picture:
        return tuple(picture.crop((640, 300, 641, 301)).tobytes())


@pytest.fixture(scope="module")
def progress() -> list[float]:
    """What was heard of it while `rendered` was made."""
    return []


@pytest.fixture(scope="module")
def rendered(
    narration: Narration,
    pictures: list[Path],
    progress: list[float],
    tmp_path_factory: pytest.TempPathFactory,
) -> Rendered:
    path = tmp_path_factory.mktemp("rendered") / "video.mp4"
    return render_video(pictures, narration, path, on_progress=progress.append)


def test_it_has_one_h264_and_one_aac_stream_as_long_as_the_narration(
    rendered: Rendered, narration: Narration
) -> None:
    video, audio = streams(rendered.path)
    assert (video.kind, video.codec, video.profile) == ("video", "h264", "High")
    assert (video.width_px, video.height_px) == (1280, 720)
    assert (audio.kind, audio.codec, audio.sample_rate_hz) == ("audio", "aac", 48_000)
    assert video.duration_s == pytest.approx(narration.duration_s, abs=0.05)
    assert length_s(rendered.path) == rendered.duration_s
    assert mean_volume_db(rendered.path) > -40
    assert rendered.path.read_bytes().index(b"moov") < rendered.path.read_bytes().index(b"mdat")


def test_each_scene_stands_while_it_is_spoken_and_fades_over(
    rendered: Rendered, narration: Narration
) -> None:
    video = rendered.path
    for index, span in enumerate(narration.speech):
        colour = _colour_at(video, (span.start_s + span.end_s) / 2)
        assert max(range(3), key=colour.__getitem__) == index
    red, green, _ = _colour_at(video, narration.scenes[1].start_s + 0.3)
    assert red > 60
    assert green > 60


@pytest.mark.usefixtures("rendered")
def test_progress_rises_to_the_end(progress: list[float]) -> None:
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert len(progress) >= 4


def test_it_stops_on_request_and_leaves_no_process_and_no_file(
    narration: Narration, pictures: list[Path], tmp_path: Path
) -> None:
    heard: list[float] = []
    with pytest.raises(Stopped):
        render_video(
            pictures,
            narration,
            tmp_path / "video.mp4",
            on_progress=heard.append,
            should_stop=lambda: bool(heard),
        )
    assert not (tmp_path / "video.mp4").exists()
    assert not list(tmp_path.glob(".render-*"))
    assert not any(is_ffmpeg(one) for one in psutil.Process().children(recursive=True))


def is_ffmpeg(process: psutil.Process) -> bool:
    try:
        return "ffmpeg" in process.name()
    except psutil.NoSuchProcess:  # a server of other tests comes and goes
        return False


def test_captions_can_be_burned_in_and_add_no_stream(
    narration: Narration, pictures: list[Path], tmp_path: Path
) -> None:
    captions = [Caption(0.2, narration.duration_s, "Größer,\nsüßer: „Stellwerk“")]
    folder = tmp_path / "it's, [odd]: a folder"
    folder.mkdir()
    srt = write_srt(captions, folder / "captions.srt")
    video = render_video(pictures, narration, tmp_path / "v.mp4", burned_captions=srt).path
    assert [stream.codec for stream in streams(video)] == ["h264", "aac"]
    lower_part = _picture_at(video, 1.0).crop((200, 540, 1080, 700)).convert("L")
    assert max(lower_part.tobytes()) > 200  # white letters on the red slide


def test_one_picture_is_needed_for_each_scene(
    narration: Narration, pictures: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="zip"):
        render_video(pictures[:2], narration, tmp_path / "video.mp4")
