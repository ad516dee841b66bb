"""A generation that fails half-way goes on where it failed, and pays for nothing twice."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

from people import add_channel, add_user
from stellwerk.bootstrap import Platform
from stellwerk.errors import ProviderUnavailable
from stellwerk.jobs import queries as jobs
from stellwerk.jobs.model import Job
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit
from stellwerk.providers.subprocesses import never
from stellwerk.providers.voice.local import LocalVoice
from stellwerk.providers.voice.protocol import Passage, Spoken
from stellwerk_workers.handlers import load_handlers
from stellwerk_workers.heartbeat import Heartbeat
from stellwerk_workers.reports import Came
from stellwerk_workers.runner import Runner


class MeteredVoice:
    """A voice that is paid for call by call, and is out of order at one call."""

    batch_size = 1

    def __init__(self, *, fails_at: int) -> None:
        self.calls = 0
        self._fails_at = fails_at
        self._voice = LocalVoice()

    @property
    def languages(self) -> frozenset[str]:
        return self._voice.languages

    def speak(
        self, passages: Sequence[Passage], *, language: str, should_stop: Callable[[], bool] = never
    ) -> Spoken:
        self.calls += 1
        if self.calls == self._fails_at:
            raise ProviderUnavailable("The voice is out of order.", retry_after_s=0)
        return self._voice.speak(passages, language=language, should_stop=should_stop)


def test_scenes_that_were_spoken_are_not_spoken_again(platform: Platform) -> None:
    voice = MeteredVoice(fails_at=3)
    providers = replace(platform.runtime.providers, voice=voice)
    runtime = replace(platform.runtime, providers=providers)
    user_id = add_user(platform)
    payload = {
        "channel_id": add_channel(platform, user_id),
        "topic": "Top 2 facts about railway signal boxes",
        "target_duration": 15,
    }
    job_id = submit(runtime, Submission("videos.generate", payload, user_id))

    assert attempt(runtime, job_id) is Came.AGAIN
    assert attempt(runtime, job_id) is Came.COMPLETED

    with runtime.sessions() as session:
        lines = [line.step for line in jobs.costs(session, job_id)]
        document = jobs.change(session, runtime.registry, job_id).document
    scenes = sum(item["name"].startswith("scene-") for item in document["artifacts"])
    assert voice.calls == scenes + 1
    assert lines.count("voice") == scenes
    assert lines.count("script") == 1
    assert [step["name"] for step in document["steps"]] == [
        "script", "voice", "visuals", "render", "package",
    ]  # fmt: skip


def attempt(runtime: Runtime, job_id: UUID) -> Came:
    """Let a worker of this process take the job, whenever it is due."""
    load_handlers()
    heartbeat = Heartbeat(runtime)
    with runtime.sessions.begin() as session:
        job = session.get_one(Job, job_id)
        job.run_at, made = job.created_at, job.attempt
    wakeup = Wakeup(job_id, made, "videos.generate", "media")
    report = Runner(runtime, heartbeat, lambda: False).run(wakeup, "test")
    heartbeat.stop()
    return report.came
