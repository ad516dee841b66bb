"""Schedules by the command line, fired by the real dispatcher."""

from command_line import CommandLine
from embedded import wait_until


def test_a_schedule_fires_until_it_is_paused_and_is_run_by_hand(working: CommandLine) -> None:
    command = "schedules create hello diagnostics.echo --every 1 --set message=hi --queue short_low"
    schedule_id = working.done(*command.split()).strip()
    wait_until(
        lambda: [
            fire
            for fire in working.json("schedules", "fires", schedule_id)
            if fire["job_status"] == "completed"
        ],
        timeout_s=120,
    )
    working.done("schedules", "pause", schedule_id)
    (listed,) = working.json("schedules")
    assert listed["queue"] == "short_low"
    assert (listed["id"], listed["paused"], listed["next_fire_at"]) == (schedule_id, True, None)

    job_id = working.done("schedules", "run", schedule_id).strip()
    assert working.run("watch", job_id).code == 0
    (newest, *_) = working.json("schedules", "fires", schedule_id)
    assert (newest["job_id"], newest["by_hand"]) == (job_id, True)

    assert working.done("schedules", "resume", schedule_id).strip().endswith("Z")
    working.done("schedules", "delete", schedule_id, anew=True)
    assert working.json("schedules") == []
