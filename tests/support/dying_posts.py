"""Mails whose worker dies while it sends them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from embedded import wait_until
from engine import Engine
from outcomes import document, ended
from stellwerk.bootstrap import Platform
from stellwerk.clock import new_id
from stellwerk.jobs.crash_points import CrashPoint
from stellwerk.jobs.submission import Submission, submit

ADA = "ada@example.com"
WORDS = {"to": ADA, "subject": "Signals", "text": "Hello."}
LETTER = {"to": ADA, "template": "address_taken", "variables": {"link": "https://x.example/"}}
COMPLETED, UNCERTAIN = ("completed", None), ("failed", "EFFECT_UNCERTAIN")


def sent_while_dying(
    platform: Platform, engine: Engine, payload: dict[str, Any], point: CrashPoint
) -> dict[str, Any]:
    """The job's document once it has ended; its worker died at this point and was started again."""
    job_id = new_id()
    _arm(platform, point, job_id)
    submit(platform.runtime, Submission("email.send", payload, owner_id=None, job_id=job_id))
    wait_until(lambda: engine.processes["short"].poll() is not None, timeout_s=60)
    engine.restart_what_ended()
    return ended(platform, job_id)


def all_sent_while_dying(
    platform: Platform, engine: Engine, mails: Iterable[tuple[dict[str, Any], CrashPoint]]
) -> list[dict[str, Any]]:
    """The same of many side by side, each of which has its worker die."""
    wanted = {new_id(): mail for mail in mails}
    for job_id, (_, point) in wanted.items():
        _arm(platform, point, job_id)
    for job_id, (payload, _) in wanted.items():
        submit(platform.runtime, Submission("email.send", payload, owner_id=None, job_id=job_id))

    def all_ended() -> bool:
        engine.restart_what_ended()
        return all(document(platform, job_id)["finished_at"] for job_id in wanted)

    wait_until(all_ended, timeout_s=120)
    assert not [
        job_id for job_id, (_, point) in wanted.items() if is_armed(platform, point, job_id)
    ]
    return [document(platform, job_id) for job_id in wanted]


def outcome(job: dict[str, Any]) -> tuple[str, str | None]:
    """How it ended, and the code of its error."""
    return job["status"], (job["error"] or {}).get("code")


def _arm(platform: Platform, point: CrashPoint, job_id: UUID) -> None:
    _armed(platform, point, job_id).touch()


def is_armed(platform: Platform, point: CrashPoint, job_id: UUID) -> bool:
    """Whether nobody has died there yet."""
    return _armed(platform, point, job_id).exists()


def _armed(platform: Platform, point: CrashPoint, job_id: UUID) -> Path:
    assert platform.settings.crash_folder
    return platform.settings.crash_folder / f"{point}.{job_id}"
