import os
from pathlib import Path

import pytest

from stellwerk.providers.services.place import module_account
from stellwerk.providers.services.process.interpreter import (
    runs_python,
    search_path,
    sheltered_python,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="users of their own need root: run as root")


def test_whoever_runs_modules_as_itself_uses_its_own_python() -> None:
    first = Path(search_path(None).partition(":")[0])

    assert (first / "python3").exists()


@as_root
def test_a_modules_user_is_given_a_python_that_it_may_run() -> None:
    account = module_account(610_000)
    first = Path(search_path(account).partition(":")[0])

    assert runs_python(first, account)


@as_root
def test_a_copy_of_our_python_is_made_once_where_no_other_is_in_reach() -> None:
    account = module_account(610_000)
    folder = sheltered_python(account)
    made_at = folder.stat().st_mtime

    assert runs_python(folder, account)
    assert sheltered_python(account).stat().st_mtime == made_at
