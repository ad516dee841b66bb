"""Operators by the command line: queues, dead letters, requeueing."""

from command_line import CommandLine


def test_a_queue_is_paused_and_resumed(signed_in: CommandLine) -> None:
    assert "short_low" in signed_in.done("queues")
    (paused,) = signed_in.json("queues", "pause", "media")
    assert paused["paused"]
    (resumed,) = signed_in.json("queues", "resume", "media")
    assert not resumed["paused"]
    assert signed_in.run_anew("queues", "pause", "fast").code == 4


def test_dead_letters_are_listed_and_queued_again(working: CommandLine) -> None:
    job_id = working.submit("diagnostics.fail", "kind=retryable")
    working.submit("diagnostics.fail", "kind=final")
    assert working.run("watch", job_id).code == 1
    assert [job["job_id"] for job in working.json("jobs", "dead")] == [job_id]
    assert "PROVIDER_UNAVAILABLE" in working.done("jobs", "dead")

    wanted = ("jobs", "requeue", "--dead", "--operation", "diagnostics.fail")
    assert working.json(*wanted, "--dry-run") == {
        "dry_run": True,
        "job_ids": [job_id],
        "refused": [],
    }
    assert job_id in working.done(*wanted, "--from", "2020-01-01")
    assert working.run("watch", job_id).code == 1
    assert working.json("jobs", "--limit", "1", "--operation", "diagnostics.fail")
