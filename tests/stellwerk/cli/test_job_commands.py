"""Jobs by the command line: submitted, watched, cancelled, retried, downloaded."""

import json

import pytest

from command_line import CommandLine


def test_what_is_submitted_and_waited_for_prints_its_result(working: CommandLine) -> None:
    ran = working.run(
        "submit",
        "diagnostics.echo",
        "--set",
        "message=Zug fährt",
        "--set",
        "data.track=4",
        "--wait",
    )
    assert ran.code == 0
    result = json.loads(ran.out)
    assert result["message"] == "Zug fährt"
    assert result["data"] == {"track": 4}
    assert "completed" in ran.err


def test_a_payload_from_standard_input_and_the_job_as_json(working: CommandLine) -> None:
    arguments = ("submit", "diagnostics.echo", "--json", "-", "--wait", "--output", "json")
    job = json.loads(working.done(*arguments, typed='{"message": "from a pipe"}'))
    assert job["status"] == "completed"
    assert job["result"]["message"] == "from a pipe"


def test_a_job_is_watched_to_its_end_with_its_progress(working: CommandLine) -> None:
    job_id = working.submit("diagnostics.sleep", "seconds=1.5", "steps=3")
    ran = working.run("watch", job_id)
    assert ran.code == 0
    assert "completed" in ran.err
    changes = [json.loads(line) for line in working.done("watch", job_id, "--json").splitlines()]
    assert changes[-1]["status"] == "completed"


def test_a_failed_job_leaves_with_1_and_a_cancelled_one_with_6(working: CommandLine) -> None:
    failing = working.submit("diagnostics.fail", "kind=final", "message=no way")
    ran = working.run("watch", failing)
    assert ran.code == 1
    assert "JOB_FAILED: no way" in ran.err
    sleeping = working.submit("diagnostics.sleep", "seconds=60")
    watching = working.start("watch", sleeping, "--json")
    working.done("cancel", sleeping)
    out, _ = watching.communicate(timeout=240)
    assert watching.returncode == 6
    assert json.loads(out.splitlines()[-1])["status"] == "cancelled"


def test_a_failed_job_is_retried(working: CommandLine) -> None:
    job_id = working.submit("diagnostics.fail", "kind=final")
    assert working.run("watch", job_id).code == 1
    working.done("retry", job_id)
    assert working.run("watch", job_id).code == 1
    assert working.json("jobs", "--operation", "diagnostics.fail")[0]["attempt"] == 2


def test_jobs_are_listed_newest_first_and_narrowed(signed_in: CommandLine) -> None:
    first = signed_in.submit("diagnostics.echo")
    second = signed_in.done("submit", "diagnostics.echo", "--tag", "red").strip()
    assert [job["job_id"] for job in signed_in.json("jobs")] == [second, first]
    assert [job["job_id"] for job in signed_in.json("jobs", "--tag", "red")] == [second]
    assert [job["job_id"] for job in signed_in.json("jobs", "--limit", "1")] == [second]
    table = signed_in.done("jobs")
    assert table.splitlines()[0].split()[:3] == ["job_id", "operation", "status"]
    assert second in table


def test_a_job_is_sent_a_signal_with_data(signed_in: CommandLine) -> None:
    job_id = signed_in.submit("diagnostics.echo")
    answer = signed_in.json("jobs", "signal", job_id, "approved", "--data", '{"by": "ada"}')
    assert answer["job_id"] == job_id
    assert signed_in.run("jobs", "signal", job_id, "approved", "--data", "{").code == 2


def test_an_uncertain_effect_is_resolved(working: CommandLine) -> None:
    fails = working.submit("diagnostics.effect", "kind=blind", "crash=after_call", "count=2")
    assert working.run("watch", fails).code == 1
    listed = working.json("jobs", "--error-code", "EFFECT_UNCERTAIN")
    assert [job["job_id"] for job in listed] == [fails]

    arguments = ("--effect", "record", "--happened", "--output", '{"times": 1}', "--note", "seen")
    working.done("jobs", "resolve", fails, *arguments)

    assert working.run("watch", fails).code == 0
    assert "found out that 'record' happened: seen" in working.done("logs", fails)
    assert working.run("jobs", "resolve", fails, *arguments).code == 4
    assert working.run("jobs", "resolve", fails, "--effect", "record").code == 2


def test_a_submission_that_is_sent_again_with_its_key_is_the_same_job(
    signed_in: CommandLine,
) -> None:
    later = ("submit", "diagnostics.echo", "--run-at", "2100-01-01T00:00:00Z")
    once = [signed_in.done(*later, "--idempotency-key", "a-key").strip() for _ in range(2)]
    other = signed_in.done(*later, "--unique-key", "nightly").strip()
    assert once[0] == once[1] != other
    assert signed_in.run(*later, "--unique-key", "nightly").code != 0
    (job,) = [job for job in signed_in.json("jobs") if job["job_id"] == other]
    assert job["status"] == "scheduled"


def test_the_children_of_a_job_are_listed(working: CommandLine) -> None:
    parent = working.submit("diagnostics.fan_out", "children=3")
    assert working.run("watch", parent).code == 0
    born = working.json("jobs", "children", parent, "--status", "completed")
    assert len(born) == 3
    assert born[0]["job_id"] in working.done("jobs", "children", parent)


def test_a_refused_payload_names_each_field(signed_in: CommandLine) -> None:
    ran = signed_in.run_anew("submit", "diagnostics.sleep", "--set", "seconds=long", "--set", "x=1")
    assert ran.code == 4
    assert "VALIDATION_FAILED" in ran.err
    assert "payload.seconds" in ran.err
    assert "payload.x" in ran.err


@pytest.mark.parametrize("command", ["watch", "cancel", "retry", "artifacts", "logs"])
def test_an_unknown_job_is_refused(signed_in: CommandLine, command: str) -> None:
    ran = signed_in.run(command, "01a20180-0000-7000-8000-000000000000")
    assert ran.code == 4
    assert "NOT_FOUND" in ran.err


def test_operations_are_listed_and_shown_with_their_schemas(signed_in: CommandLine) -> None:
    assert "diagnostics.sleep" in signed_in.done("operations")
    names = [operation["name"] for operation in signed_in.json("operations")]
    assert "diagnostics.echo" in names
    shown = json.loads(signed_in.done("operations", "diagnostics.sleep", anew=True))
    assert "seconds" in shown["payload_schema"]["properties"]


def test_a_shell_completes_operations_and_jobs(signed_in: CommandLine) -> None:
    job_id = signed_in.submit("diagnostics.echo")
    complete = {"_STELLWERK_COMPLETE": "bash_complete"}
    words = signed_in.run(COMP_WORDS="stellwerk submit diag", COMP_CWORD="2", **complete)
    assert "plain,diagnostics.echo" in words.out
    words = signed_in.run(COMP_WORDS=f"stellwerk watch {job_id[:8]}", COMP_CWORD="2", **complete)
    assert f"plain,{job_id}" in words.out
    assert "_STELLWERK_COMPLETE" in signed_in.done("completion", "bash", anew=True)


def test_what_a_handler_logged_is_shown_and_followed_to_the_jobs_end(working: CommandLine) -> None:
    job_id = working.submit("diagnostics.fail", "kind=bug", "message=a bug")
    told = working.done("logs", job_id, "--follow")
    assert "a bug" in told
    entries = [json.loads(line) for line in working.done("logs", job_id, "--json").splitlines()]
    assert len(entries) == len(told.splitlines())
    assert entries[0]["level"] == "error"
