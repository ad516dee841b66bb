"""Every error code can happen: the code raises it, and a test asserts that it was seen."""

import ast
from collections.abc import Iterator
from pathlib import Path

from stellwerk.errors import ErrorCode

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for part in ("platform", "api", "workers") for path in ROOT.glob(f"{part}/**/*.py")]
TESTS = list(ROOT.glob("tests/**/test_*.py"))


def test_every_code_is_raised_somewhere() -> None:
    raised = {code for path in SOURCES for code in members(tree(path))}
    assert {code.name for code in ErrorCode} - raised == set()


def test_every_code_is_what_a_test_expects_to_have_seen() -> None:
    assertions = (node for path in TESTS for node in ast.walk(tree(path)))
    expected = {
        code
        for node in assertions
        if isinstance(node, ast.Assert)
        for comparison in ast.walk(node.test)
        if isinstance(comparison, ast.Compare)
        for code in (*members(comparison), *constants(comparison))
    }
    assert {code.value for code in ErrorCode} - expected == set()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def members(node: ast.AST) -> Iterator[str]:
    """Members of ErrorCode that are named below a node."""
    for found in ast.walk(node):
        match found:
            case ast.Attribute(value=ast.Name(id=ErrorCode.__name__), attr=name):
                yield name


def constants(node: ast.AST) -> Iterator[str]:
    for found in ast.walk(node):
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            yield found.value
