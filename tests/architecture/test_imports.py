"""The arrows between folders, kept by import-linter."""

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


def test_import_contracts_hold(capsys: object) -> None:
    del capsys
    assert lint_imports(cache_dir=None) == EXIT_STATUS_SUCCESS
