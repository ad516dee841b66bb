"""The comments beside the fields of a class, read from its source for the documents."""

import ast
import inspect
import io
import textwrap
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """A field, the comment behind it, and the last comment that stood on lines of its own."""

    name: str
    section: str
    comment: str


def commented_fields(declared: type) -> Iterator[Field]:
    """The fields of a class in the order of its source; raises OSError where that is missing."""
    source = textwrap.dedent(inspect.getsource(declared))
    comments = _comments(source)
    section, position = "", 1
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]  # a ClassDef
        above = [comments[line] for line in range(position, node.lineno) if line in comments]
        section = above[-1] if above else section
        position = node.end_lineno + 1
        name = _assigned(node)
        if name:
            yield Field(name, section, comments.get(node.lineno, ""))


def _assigned(node: ast.stmt) -> str:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return targets[0].id if isinstance(targets[0], ast.Name) else ""


def _comments(source: str) -> dict[int, str]:
    """Comments by line, without the `#` and without what is said to linters."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    said = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    return {line: text.partition("# noqa")[0].lstrip("# ").rstrip() for line, text in said.items()}
