"""Known weaknesses are asked for, and who could not ask says so."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver import receiving

ROOT = Path(__file__).resolve().parents[2]
ADVISORY = {
    "id": "PYSEC-2026-1",
    "affected": [
        {
            "package": {"name": "celery", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
        }
    ],
}

Audit = Callable[[str, str], int]


@pytest.fixture
def audit() -> Audit:
    main: Audit = runpy.run_path(str(ROOT / "tools" / "audit.py"))["main"]
    return main


@pytest.fixture
def listed(tmp_path: Path) -> str:
    (tmp_path / "constraints.txt").write_text("celery==5.7.0\n")
    return str(tmp_path / "constraints.txt")


@pytest.mark.parametrize(
    ("known", "code", "line"),
    [
        ({}, 0, "1 packages, and no weakness is known of any.\n"),
        ({"vulns": [ADVISORY]}, 1, "celery 5.7.0: PYSEC-2026-1, mended in 99.1\n"),
    ],
)
def test_what_the_service_knows_is_said(
    audit: Audit,
    listed: str,
    capsys: pytest.CaptureFixture[str],
    known: dict[str, object],
    code: int,
    line: str,
) -> None:
    with receiving([200], body=json.dumps(known).encode()) as service:
        assert audit(listed, service.url) == code
    assert line in capsys.readouterr().out.splitlines(keepends=True)
    assert json.loads(service.requests[0].body)["version"] == "5.7.0"


def test_where_nobody_answers_nothing_is_called_sound(
    audit: Audit, listed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiving([503]) as service:
        assert audit(listed, service.url) == 3
    said = capsys.readouterr()
    assert "known" not in said.out
    assert "NOT AUDITED: the service could not be asked (" in said.err
