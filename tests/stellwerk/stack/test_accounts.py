import os

import pytest

from stellwerk.stack.accounts import unprivileged

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone becomes another user")


def test_what_runs_as_another_user_gets_nothing_of_our_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STELLWERK_ENCRYPTION_KEY", "known to root alone")

    answer = unprivileged().run("/bin/sh", "-c", "tr '\\0' '\\n' < /proc/self/environ")

    assert "PATH=/usr/local/bin" in answer.stdout
    assert "STELLWERK" not in answer.stdout


def test_another_users_programs_are_found_by_the_path_it_is_given() -> None:
    assert unprivileged().run("id", "-u").stdout.strip() == str(unprivileged().uid)
