"""Downloads by the command line, from the real API and the real store."""

import hashlib
import json
from pathlib import Path
from uuid import UUID

import pytest

from command_line import CommandLine
from stellwerk.bootstrap import Platform
from stellwerk.jobs.model import JobArtifact

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def job_id(signed_in: CommandLine, platform: Platform, tmp_path: Path) -> str:
    """A job that made `film.bin` and `note.txt`, as far as the ledger and the store know."""
    job_id = signed_in.done("submit", "diagnostics.echo").strip()
    for name, content in (("film.bin", CONTENT), ("note.txt", b"five facts")):
        add_artifact(platform, UUID(job_id), tmp_path / name, content)
    platform.live_client.redis.flushdb()
    return job_id


def add_artifact(platform: Platform, job_id: UUID, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    key = f"{job_id}/1/{path.name}"
    stored = platform.artifacts.put(key, path, "application/octet-stream")
    with platform.runtime.sessions.begin() as session:
        session.add(
            JobArtifact(
                job_id=job_id,
                name=path.name,
                attempt=1,
                storage_key=key,
                content_type="application/octet-stream",
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
            )
        )


def test_what_a_job_made_is_listed(signed_in: CommandLine, job_id: str) -> None:
    assert "film.bin" in signed_in.done("artifacts", job_id)
    listed = {item["name"]: item for item in signed_in.json("artifacts", job_id)}
    assert listed["film.bin"]["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_everything_is_downloaded_or_what_is_named(
    signed_in: CommandLine, job_id: str, tmp_path: Path
) -> None:
    out = signed_in.done("artifacts", job_id, "note.txt", "--download", "some", "--json")
    assert [Path(item["path"]).name for item in json.loads(out)] == ["note.txt"]
    assert [path.name for path in (tmp_path / "some").iterdir()] == ["note.txt"]
    signed_in.done("artifacts", job_id, "--download", "all")
    assert (tmp_path / "all" / "film.bin").read_bytes() == CONTENT


def test_without_a_folder_everything_is_downloaded_here(
    signed_in: CommandLine, job_id: str, tmp_path: Path
) -> None:
    (tmp_path / "film.bin").unlink()
    out = signed_in.done("artifacts", job_id, "--download", "--json")
    assert {item["path"] for item in json.loads(out)} == {"film.bin", "note.txt"}
    assert (tmp_path / "film.bin").read_bytes() == CONTENT


def test_a_download_goes_on_where_it_was_cut_off(
    signed_in: CommandLine, job_id: str, tmp_path: Path
) -> None:
    part = tmp_path / "film" / "film.bin.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:1000])
    inode = part.stat().st_ino
    signed_in.done("artifacts", job_id, "film.bin", "--download", "film")
    whole = tmp_path / "film" / "film.bin"
    assert whole.read_bytes() == CONTENT
    assert whole.stat().st_ino == inode
    assert not part.exists()


def test_a_whole_part_is_only_renamed_and_a_wrong_one_is_refused(
    signed_in: CommandLine, job_id: str, tmp_path: Path
) -> None:
    part = tmp_path / "film" / "film.bin.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    signed_in.done("artifacts", job_id, "film.bin", "--download", "film")
    (tmp_path / "film" / "film.bin").unlink()
    part.write_bytes(b"of another film")
    ran = signed_in.run("artifacts", job_id, "film.bin", "--download", "film")
    assert ran.code == 1
    assert "damaged" in ran.err
    assert not part.exists()
    signed_in.done("artifacts", job_id, "film.bin", "--download", "film")


def test_an_unknown_name_is_refused(signed_in: CommandLine, job_id: str) -> None:
    ran = signed_in.run_anew("artifacts", job_id, "nothing.bin")
    assert ran.code == 1
    assert "nothing.bin" in ran.err
