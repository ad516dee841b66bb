"""Indices that are due are read by jobs of their own."""

from pathlib import Path

from embedded import wait_until
from installations import Installations
from module_repositories import ServerModule, make_repository
from stellwerk.modules.model import ModuleRepository


def test_a_folder_that_nobody_has_read_is_read_after_a_look_at_all_modules(
    modules: Installations, tmp_path: Path
) -> None:
    repository_id = modules.offer(make_repository(tmp_path / "one", ServerModule("clock")))
    modules.completed(modules.submit("reconcile"))
    with modules.platform.runtime.sessions() as session:
        row = session.get_one(ModuleRepository, repository_id)

        def is_read() -> bool:
            session.refresh(row)
            session.rollback()
            return row.synced_at is not None

        wait_until(is_read)
        assert (row.modules, row.versions, row.error) == (1, 1, None)
