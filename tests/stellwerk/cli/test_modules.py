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
def repository(modules: Installations, tmp_path: Path) -> Path:
    """A repository called `tests`, of a module that works and one that does not."""
    faulty = ServerModule("faulty", behaviour=Behaviour(crashes_at_start=True))
    folder = make_repository(tmp_path / "tests", ServerModule("pulse"), faulty)
    modules.offer(folder)
    return folder


def test_a_sample_is_installed_with_what_it_needs_and_removed_again(operator: CommandLine) -> None:
    samples = str(shipped("modules/repository"))
    operator.done("modules", "repositories", "add", "samples", samples)
    (offered,) = operator.json("modules", "available", "--query", "dash")
    assert (offered["name"], offered["installed"]) == ("dashboard", False)

    installed = operator.run("modules", "install", "dashboard")
    assert installed.code == 0, installed
    assert installed.out.startswith("dashboard 1.0.0 is at http")
    assert installed.out.endswith("/dashboard/, with clock\n")
    assert "100 %" in installed.err

    kept = operator.run("modules", "uninstall", "dashboard", typed="n\n")
    assert (kept.code, "Nothing was removed." in kept.err) == (130, True)
    removed = operator.run("modules", "uninstall", "dashboard", "--drop-data", typed="y\n")
    assert (removed.code, removed.out) == (0, "dashboard is gone, with its instance\n")
    assert [one["name"] for one in operator.json("modules", "list")] == ["clock"]


@pytest.mark.usefixtures("repository")
def test_instances_are_added_told_apart_and_configured(operator: CommandLine) -> None:
    given = ("--set", "A=1", "--secret", "C=3")
    first = operator.json("modules", "install", "pulse", *given)["result"]["instance_id"]
    added = operator.json("modules", "add-instance", "pulse")["result"]["instance_id"]
    assert operator.done("modules", "primary", "pulse", added[-6:]).strip() == added
    unknown = operator.run("modules", "show", "pulse", "none")
    assert (unknown.code, "no instance whose id begins or ends with none" in unknown.err) == (
        4,
        True,
    )

    change = ("B=-", "--secret", "--unset", "A")
    configured = operator.run("modules", "set-env", "pulse", first, *change, typed="hidden\n")
    assert (configured.code, configured.out) == (0, "B  (secret)\nC  (secret)\n")
    assert f"`stellwerk modules restart pulse {first}`" in configured.err
    restarted = operator.done("modules", "restart", "pulse", first)
    assert restarted == f"pulse {first}: running\n"
    removed = operator.done("modules", "remove-instance", "pulse", first, "--yes")
    assert removed == f"pulse {first} is gone\n"


@pytest.mark.usefixtures("repository")
def test_a_failed_install_says_where_it_failed_what_was_undone_and_what_it_wrote(
    operator: CommandLine,
) -> None:
    failed = operator.run("modules", "install", "faulty")
    assert failed.code == 1
    assert "faulty: modules.install failed at the step health" in failed.err
    assert "MODULE_UNHEALTHY: " in failed.err
    assert "undone: create service, unpack, download, resolve" in failed.err
    assert "| This module cannot start." in failed.err
    assert operator.json("modules", "orphans") == []


def test_an_update_is_offered_made_and_told(
    operator: CommandLine, modules: Installations, repository: Path
) -> None:
    modules.install("pulse")
    make_repository(repository, ServerModule("pulse", "1.1.0"))
    synced = operator.done("modules", "repositories", "sync", "tests")
    assert synced.endswith("2 modules, changed\n")
    assert "1.0.0 (update)" in operator.done("modules", "available", "--repository", "tests")

    updated = operator.done("modules", "update", "pulse")
    assert updated.startswith("pulse 1.0.0 -> 1.1.0, one instance, at http")
    again = operator.run("modules", "update", "pulse")
    assert (again.code, "MODULE_UP_TO_DATE" in again.err) == (4, True)


@pytest.mark.usefixtures("repository")
def test_a_log_is_followed_until_somebody_has_seen_enough(operator: CommandLine) -> None:
    operation = operator.done("modules", "install", "pulse", "--no-follow").strip()
    wait_until(
        lambda: "completed, 100 %" in operator.done("modules", "status", operation), timeout_s=120
    )
    following = operator.start("modules", "logs", "pulse", "--follow")
    assert following.stdout
    assert following.stdout.readline() == "listening\n"
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=240)
    assert (following.returncode, said.strip()) == (130, "")


@pytest.mark.usefixtures("repository")
def test_a_repository_is_forgotten_by_its_name(operator: CommandLine) -> None:
    operator.done("modules", "repositories", "remove", "tests")
    gone = operator.run("modules", "repositories", "sync", "tests")
    assert (gone.code, "There is no repository tests." in gone.err) == (4, True)
