"""Modules by the command line, installed by real workers."""

import signal
from pathlib import Path

import pytest

from command_line import CommandLine
from embedded import wait_until
from installations import Installations
from module_repositories import Behaviour, ServerModule, make_repository
from stellwerk.shipped import shipped

pytestmark = pytest.mark.xdist_group("modules")


@pytest.fixture
def operator(working: CommandLine, modules: Installations) -> CommandLine:
    """Signed in, with workers and a gateway; what was installed is gone afterwards."""
    del modules
    return working


@pytest.fixture
def repository(operator: CommandLine, tmp_path: Path) -> Path:
    """A repository of modules that behave in several ways, added as `tests`."""
    folder = make_repository(
        tmp_path / "repository",
        ServerModule("pulse"),
        ServerModule("faulty", behaviour=Behaviour(crashes_at_start=True)),
    )
    operator.done("modules", "repositories", "add", "tests", str(folder))
    return folder


def test_a_sample_is_installed_with_what_it_needs_and_removed_again(operator: CommandLine) -> None:
    samples = str(shipped("modules/repository"))
    operator.done("modules", "repositories", "add", "samples", samples)
    (offered,) = operator.json("modules", "available", "--query", "dash")
    assert (offered["name"], offered["installed"]) == ("dashboard", False)

    installed = operator.run("modules", "install", "dashboard")
    assert installed.code == 0, installed
    assert installed.out.startswith("dashboard 1.0.0 is at http")
    assert installed.out.rstrip().endswith("/dashboard/, with clock")
    assert "100 %" in installed.err
    assert {one["name"] for one in operator.json("modules", "list")} == {"clock", "dashboard"}

    needed = operator.run("modules", "uninstall", "clock", "--yes")
    assert (needed.code, "MODULE_NEEDED" in needed.err) == (4, True)
    kept = operator.run("modules", "uninstall", "dashboard", typed="n\n")
    assert (kept.code, "Nothing was removed." in kept.err) == (130, True)
    removed = operator.run("modules", "uninstall", "dashboard", "--drop-data", typed="y\n")
    assert (removed.code, removed.out) == (0, "dashboard is gone, with its instance\n")
    assert [one["name"] for one in operator.json("modules", "list")] == ["clock"]


def test_instances_are_added_told_apart_and_configured(
    operator: CommandLine, repository: Path
) -> None:
    del repository
    first = operator.json("modules", "install", "pulse", "--set", "A=1")["result"]["instance_id"]
    added = operator.json("modules", "add-instance", "pulse")["result"]["instance_id"]
    assert added in operator.done("modules", "instances", "pulse")

    assert operator.done("modules", "primary", "pulse").strip() == first
    assert operator.done("modules", "primary", "pulse", added[-6:]).strip() == added
    unknown = operator.run("modules", "show", "pulse", "none")
    assert (unknown.code, "no instance whose id begins or ends with none" in unknown.err) == (
        4,
        True,
    )

    secret = operator.run("modules", "set-env", "pulse", first, "B=-", "--secret", typed="hidden\n")
    assert (secret.code, "A=1\nB  (secret)\n") == (0, secret.out)
    assert "restart" in secret.err
    assert "hidden" not in operator.done("modules", "show", "pulse", first, "--json")
    unset = operator.done("modules", "set-env", "pulse", first, "--unset", "A", "--unset", "B")
    assert unset == ""
    restarted = operator.done("modules", "restart", "pulse", first)
    assert restarted.strip() == f"pulse {first}: running"
    removed = operator.done("modules", "remove-instance", "pulse", first, "--yes")
    assert removed == f"pulse {first} is gone\n"


def test_a_failed_install_says_where_it_failed_what_was_undone_and_what_it_wrote(
    operator: CommandLine, repository: Path
) -> None:
    del repository
    failed = operator.run("modules", "install", "faulty")
    assert failed.code == 1
    assert "faulty: modules.install failed at the step health" in failed.err
    assert "MODULE_UNHEALTHY: " in failed.err
    assert "undone: " in failed.err
    assert "| This module cannot start." in failed.err
    assert operator.json("modules", "list") == []
    assert operator.json("modules", "orphans") == []


def test_a_log_is_followed_until_somebody_has_seen_enough(
    operator: CommandLine, repository: Path
) -> None:
    del repository
    operation = operator.done("modules", "install", "pulse", "--no-follow").strip()
    wait_until(
        lambda: operator.json("modules", "status", operation)["status"] == "completed", timeout_s=30
    )
    assert "listening" in operator.done("modules", "logs", "pulse", "--tail", "5")
    following = operator.start("modules", "logs", "pulse", "--follow")
    assert following.stdout
    assert following.stdout.readline() == "listening\n"
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=30)
    assert (following.returncode, said.strip()) == (130, "")


def test_repositories_are_named_and_read_again(operator: CommandLine, repository: Path) -> None:
    assert operator.done("modules", "repositories", "sync", "tests").endswith("as before\n")
    make_repository(repository, ServerModule("late"))
    assert operator.done("modules", "repositories", "sync", "tests").endswith(
        "3 modules, changed\n"
    )
    assert "late" in operator.done("modules", "available", "--repository", "tests")
    operator.done("modules", "repositories", "remove", "tests")
    assert operator.json("modules", "repositories", "list") == []
    gone = operator.run("modules", "repositories", "sync", "tests")
    assert (gone.code, "There is no repository tests." in gone.err) == (4, True)
