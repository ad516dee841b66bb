import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stellwerk.errors import ProviderRejected, StackError
from stellwerk.providers.services.place import (
    known_modules_dir,
    module_account,
    modules_dir,
    remove_modules,
)
from stellwerk.providers.services.process.runtime import ProcessServices
from stellwerk.providers.services.protocol import ServiceSpec
from stellwerk.settings import load_settings
from stellwerk.stack.accounts import unprivileged

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="users of their own need root: run as root")


def test_the_folder_of_modules_is_found_again(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    assert known_modules_dir(settings) is None

    folder = modules_dir(settings)

    assert modules_dir(settings) == known_modules_dir(settings) == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o711
    remove_modules(tmp_path)
    assert known_modules_dir(settings) is None


def test_a_folder_that_the_settings_name_is_taken(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, modules_dir=tmp_path / "elsewhere" / "modules")

    assert modules_dir(settings) == tmp_path / "elsewhere" / "modules"
    assert known_modules_dir(settings) == tmp_path / "elsewhere" / "modules"


@as_root
def test_modules_users_may_pass_through_the_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    folder = modules_dir(load_settings(home=tmp_path))

    assert module_account(610_000).can_enter(folder)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    remove_modules(tmp_path)


@as_root
def test_modules_that_are_gone_are_not_taken_for_none(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    modules_dir(settings).rename(tmp_path / "lost")

    with pytest.raises(StackError, match="which is gone"):
        modules_dir(settings)


def test_in_production_modules_do_not_run_as_the_platforms_own_user(tmp_path: Path) -> None:
    spec = ServiceSpec(
        name="stellwerk_clock_1",
        module_name="clock",
        instance_id="1" * 32,
        version="1.0.0",
        folder=tmp_path,
        data=tmp_path,
        port=20_000,
        command=("true",),
    )
    strict = load_settings(home=tmp_path, mode="production", jwt_secret_key="x" * 40)
    with somebody(), pytest.raises(ProviderRejected, match="platform's own user"):
        ProcessServices(strict).refuse(spec)
    allowed = strict.model_copy(update={"allow_unconfined_modules": True})
    with somebody():
        ProcessServices(allowed).refuse(spec)


@contextmanager
def somebody() -> Iterator[None]:
    """Not root, for a moment."""
    before = os.geteuid()
    os.seteuid(before or unprivileged().uid)
    try:
        yield
    finally:
        os.seteuid(before)
