"""The ffmpeg that comes with the package imageio-ffmpeg, always as a child process (GPL)."""

from collections.abc import Callable, Sequence

import imageio_ffmpeg

from stellwerk.providers.subprocesses import Finished, never, run_program


def run_ffmpeg(
    args: Sequence[str],
    *,
    timeout_s: float,
    should_stop: Callable[[], bool] = never,
    on_second: Callable[[float], None] | None = None,
) -> Finished:
    """Run ffmpeg; `on_second` gets how many seconds of output are written, a few times a second.

    Raises what `run_program` raises.
    """
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-nostats", "-y"]
    progress = ["-progress", "pipe:1"] if on_second else []

    def read_progress(line: str) -> None:
        name, _, value = line.partition("=")
        if on_second and name == "out_time_us" and value.isdigit():
            on_second(int(value) / 1_000_000)

    return run_program(
        [*program, *progress, *args],
        timeout_s=timeout_s,
        should_stop=should_stop,
        on_line=read_progress,
    )
