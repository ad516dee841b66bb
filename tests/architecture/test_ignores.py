"""Whoever silences a check says why, beside it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("platform", "api", "workers", "tests", "benchmarks", "tools", "migrations")
SILENCED = re.compile(r"#\s*(?:noqa|type: ignore)\b(?!\")(?P<rest>.*)")
HIDDEN = re.compile(r"(^|/)(\.|node_modules/)")  # such as what benchmarks install
NAMED_WITH_A_REASON = re.compile(r"(?:: ?[A-Z]+\d+(?:, ?[A-Z]+\d+)*  |\[[a-z, -]+\]  # ).*\w")


def test_every_ignored_finding_is_named_with_its_reason() -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    lines = [
        (f"{path.relative_to(ROOT)}:{number}", found["rest"])
        for path in files
        if not HIDDEN.search(f"{path.relative_to(ROOT)}") and path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for found in SILENCED.finditer(line)
    ]
    assert len(lines) > 100
    assert [place for place, rest in lines if not NAMED_WITH_A_REASON.match(rest)] == []


def test_every_rule_that_is_off_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    codes = re.findall(r'^ +"[A-Z]+\d*",(.*)$', text, re.MULTILINE)
    lists = re.findall(r'^"[^"]+" = \["[^\n]*\](.*)$', text, re.MULTILINE)
    assert len(codes) > 20
    assert [line for line in (*codes, *lists) if not re.match(r" +# \w", line)] == []
