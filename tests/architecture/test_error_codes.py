"""Every error code can happen: the code raises it, and a test asserts that it was seen."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from stellwerk.errors import ErrorCode

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for part in ("platform", "api", "workers") for path in ROOT.glob(f"{part}/**/*.py")]
TESTS = list(ROOT.glob("tests/**/test_*.py"))


def test_every_code_is_raised_somewhere() -> None:
    trees = [tree(path) for path in SOURCES]
    naming = (tree(path) for path in SOURCES if ErrorCode.__name__ in path.read_text())
    raised = {code for one in naming for code in given(one)}
    assert {code.name for code in ErrorCode} - raised - codes_of_classes(trees) == set()


def test_a_code_counts_as_raised_where_somebody_raises_it_and_not_where_it_is_declared() -> None:
    source = """
class Refused(StellwerkError):
    code = ErrorCode.CONFLICT

class RefusedTwice(Refused):
    pass

if exc.code is ErrorCode.GONE:
    log(exc)
"""
    declared = ast.parse(source)
    assert (set(given(declared)), codes_of_classes([declared])) == (set(), set())
    raised = ast.parse(f"{source}    raise RefusedTwice from exc")
    assert codes_of_classes([raised]) == {"CONFLICT"}
    assert set(given(ast.parse("raise Refused('no', code=ErrorCode.GONE)"))) == {"GONE"}


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


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def given(node: ast.AST) -> Iterator[str]:
    """Codes that are handed to something; a class that declares one or a comparison gives none."""
    match node:
        case ast.ClassDef(body=body):
            inner = [one for one in body if not isinstance(one, ast.Assign | ast.AnnAssign)]
            yield from (code for one in inner for code in given(one))
        case ast.Compare() | ast.pattern():
            return
        case ast.Attribute(value=ast.Name(id=ErrorCode.__name__), attr=name):
            yield name
        case _:
            yield from (code for one in ast.iter_child_nodes(node) for code in given(one))


def codes_of_classes(trees: list[ast.Module]) -> set[str]:
    """What the classes of errors that somebody makes declare, or the class above them."""
    nodes = [node for one in trees for node in ast.walk(one)]
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    made = {name for node in nodes for name in made_by(node)} & classes.keys()
    return {code for name in made for code in declared_by(name, classes)}


def made_by(node: ast.AST) -> Iterator[str]:
    """Names of what is called, or raised as it is."""
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            yield name
        case ast.Raise(exc=ast.Name(id=name)):
            yield name


def declared_by(name: str, classes: Mapping[str, ast.ClassDef]) -> set[str]:
    """The code of a class: its own, or that of its base."""
    found = classes.get(name)
    if found is None:
        return set()
    own = {
        code
        for one in found.body
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "code"
        for code in members(one)
    }
    bases = (declared_by(ast.unparse(base), classes) for base in found.bases)
    return own or {code for codes in bases for code in codes}


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
