"""Carries out the studio's operations: the five steps of a video."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from stellwerk.configuration.entries import PRICES_EUR
from stellwerk.jobs.context import JobContext
from stellwerk.providers.images.protocol import Slide, slides_of
from stellwerk.providers.pricing import Usage, unit_price
from stellwerk.providers.script.protocol import Script
from stellwerk.providers.video.captions import captions_of, write_srt
from stellwerk.providers.video.quality import Quality, measure
from stellwerk.providers.video.render import render_video
from stellwerk.providers.voice.narration import Narration, Span, assemble
from stellwerk.providers.voice.protocol import Passage, Speech
from stellwerk.providers.voice.wav import duration_s
from stellwerk.studio import queries
from stellwerk.studio.service import describe_video, script_request, start_generation
from stellwerk_workers.handlers import handles

SCRIPT, NARRATION, VIDEO = "script.json", "narration.wav", "video.mp4"
CAPTIONS, THUMBNAIL = "captions.srt", "thumbnail.jpg"


@handles("videos.generate")
def generate(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Write, speak, draw, render and package a video."""
    with ctx.transaction() as session:
        start_generation(session, ctx.job_id)
    steps = Generation(ctx, payload)
    ctx.step("script", steps.write)
    ctx.step("voice", steps.speak)
    ctx.step("visuals", steps.draw)
    ctx.step("render", steps.render)
    return ctx.step("package", steps.package)


@dataclass(frozen=True, slots=True)
class Generation:
    """The steps; each finds what it needs in the artifacts of those before it."""

    ctx: JobContext
    payload: dict[str, Any]

    def write(self) -> dict[str, Any]:
        """The script, and with it the video's title, description and tags."""
        written = self.ctx.runtime.providers.script.write(script_request(self.payload))
        self._charge(written.usage)
        self._keep(SCRIPT, orjson.dumps(written.script.to_json()), "application/json")
        with self.ctx.transaction() as session:
            describe_video(queries.video_of_job(session, self.ctx.job_id), written.script)
        title, scenes = written.script.title, len(written.script.scenes)
        self.ctx.log("script written", title=title, scenes=scenes)
        return {"title": title, "scenes": scenes}

    def speak(self) -> dict[str, Any]:
        """The narration, with the times at which each scene is heard."""
        path = self.ctx.workdir / NARRATION
        narration = assemble(
            self._speeches(),
            path,
            target_s=self.payload["target_duration"],
            should_stop=self.ctx.should_stop,
        )
        self.ctx.artifact(NARRATION, path, "audio/wav")
        length_s, tempo = round(narration.duration_s, 3), round(narration.tempo, 4)
        self.ctx.log("narration spoken", duration_s=length_s, tempo=tempo)
        return {**asdict(narration), "path": NARRATION}

    def draw(self) -> dict[str, Any]:
        """One picture for each scene."""
        slides = slides_of(self._script())
        for slide in slides:
            name = scene_name(slide.number)
            self.ctx.step("visuals", partial(self._draw, slide, name), key=name)
            self.ctx.progress(slide.number / slide.count, f"scene {slide.number} drawn")
        self.ctx.log("scenes drawn", scenes=len(slides))
        return {"scenes": len(slides)}

    def render(self) -> dict[str, Any]:
        """Pictures and narration as one MP4."""
        narration = self._narration()
        rendered = render_video(
            [self.ctx.fetch(scene_name(i)) for i in range(1, len(narration.scenes) + 1)],
            narration,
            self.ctx.workdir / VIDEO,
            on_progress=lambda done: self.ctx.progress(done, f"rendered {done:.0%}"),
            should_stop=self.ctx.should_stop,
        )
        self._charge(rendered.usage)
        self.ctx.artifact(VIDEO, rendered.path, "video/mp4")
        size_bytes = rendered.path.stat().st_size
        self.ctx.log("video rendered", duration_s=rendered.duration_s, size_bytes=size_bytes)
        return {"duration_s": rendered.duration_s}

    def package(self) -> dict[str, Any]:
        """Captions, thumbnail and the measured quality."""
        script, narration = self._script(), self._narration()
        captions = captions_of(script, narration.speech)
        write_srt(captions, self.ctx.workdir / CAPTIONS)
        self.ctx.artifact(CAPTIONS, self.ctx.workdir / CAPTIONS, "application/x-subrip")
        # Pillow, in the process that draws and in no other
        from stellwerk.providers.images.thumbnail import draw_thumbnail  # noqa: PLC0415  Pillow

        draw_thumbnail(script.title, self.ctx.workdir / THUMBNAIL, style=script.style)
        self.ctx.artifact(THUMBNAIL, self.ctx.workdir / THUMBNAIL, "image/jpeg")
        quality = measure(
            self.ctx.fetch(VIDEO),
            script=script,
            captions=captions,
            should_stop=self.ctx.should_stop,
        )
        self.ctx.log("quality measured", score=quality.score)
        return self._finished(quality)

    def _finished(self, quality: Quality) -> dict[str, Any]:
        rendered = self.ctx.recorded("render")
        length_s = rendered.output["duration_s"] if rendered else None
        with self.ctx.transaction() as session:
            video = queries.video_of_job(session, self.ctx.job_id)
            video.duration_s = length_s
            video.quality_score = quality.score
            video.quality_parts = quality.to_json()["parts"]
            return {
                "video_id": video.id,
                "title": video.title,
                "duration_s": length_s,
                "quality_score": quality.score,
            }

    def _speeches(self) -> list[Speech]:
        """Every scene spoken; where a call is paid for by itself, no finished one is repeated."""
        voice = self.ctx.runtime.providers.voice
        passages = [
            Passage(scene.narration, self.ctx.workdir / f"voice-{number:02}.wav")
            for number, scene in enumerate(self._script().scenes, start=1)
        ]
        size = voice.batch_size
        for start in range(0, len(passages), size):
            batch = passages[start : start + size]
            if size >= len(passages):
                self._say(batch)
                continue
            key = batch[0].path.name
            self.ctx.step("voice", partial(self._say_and_keep, batch), key=key)
            self.ctx.progress((start + len(batch)) / len(passages), "speaking")
        return [self._speech(passage) for passage in passages]

    def _say(self, passages: Sequence[Passage]) -> None:
        spoken = self.ctx.runtime.providers.voice.speak(
            passages, language=self.payload["language"], should_stop=self.ctx.should_stop
        )
        self._charge(spoken.usage)

    def _say_and_keep(self, passages: Sequence[Passage]) -> None:
        self._say(passages)
        for passage in passages:
            self.ctx.artifact(passage.path.name, passage.path, "audio/wav")

    def _speech(self, passage: Passage) -> Speech:
        path = self.ctx.fetch(passage.path.name)
        return Speech(path, duration_s(path), len(passage.text))

    def _draw(self, slide: Slide, name: str) -> None:
        drawn = self.ctx.runtime.providers.images.draw(slide, self.ctx.workdir / name)
        self._charge(drawn.usage)
        self.ctx.artifact(name, drawn.path, "image/png")

    def _script(self) -> Script:
        return Script.from_json(orjson.loads(self.ctx.fetch(SCRIPT).read_bytes()))

    def _narration(self) -> Narration:
        voice = self.ctx.recorded("voice")
        stored = voice.output if voice else {}
        return Narration(
            path=self.ctx.fetch(NARRATION),
            duration_s=stored["duration_s"],
            speech=tuple(Span(**span) for span in stored["speech"]),
            scenes=tuple(Span(**span) for span in stored["scenes"]),
            tempo=stored["tempo"],
        )

    def _keep(self, name: str, content: bytes, content_type: str) -> None:
        path: Path = self.ctx.workdir / name
        path.write_bytes(content)
        self.ctx.artifact(name, path, content_type)

    def _charge(self, usage: Sequence[Usage]) -> None:
        prices = self.ctx.runtime.configuration[PRICES_EUR]
        for line in usage:
            self.ctx.cost(line.provider, line.unit, line.quantity, unit_price(line, prices))


def scene_name(number: int) -> str:
    """File name of a scene's picture."""
    return f"scene-{number:02}.png"
