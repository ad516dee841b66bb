"""Files of sensitive jobs are stored encrypted, and read whole or in ranges."""

from base64 import b64decode
from pathlib import Path
from random import Random
from typing import Any

import pytest

from stellwerk.bootstrap import Platform
from stellwerk.errors import ProviderRejected
from stellwerk.jobs import control
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.model import JobArtifact
from stellwerk.jobs.sealed_files import CHUNK_BYTES, TAG_BYTES, SealedFile, put, sealed_file
from stellwerk.providers.artifacts.local import LocalArtifacts
from trial import trial

PLANTED = b"planted-4711-secret"
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7]


def stored(folder: Path, content: bytes) -> tuple[LocalArtifacts, SealedFile]:
    store, path = LocalArtifacts(folder / "store"), folder / "file"
    path.write_bytes(content)
    found, key = put(store, "a/1/file", path)
    return store, SealedFile("a/1/file", found.size_bytes, b64decode(key))


@pytest.mark.parametrize("size", SIZES)
def test_what_was_stored_is_read_whole_and_in_ranges(tmp_path: Path, size: int) -> None:
    chance = Random(size)  # noqa: S311  a test's
    content = chance.randbytes(size)
    store, sealed = stored(tmp_path, content)

    assert b"".join(sealed.read(store, start=0, length=size)) == content
    for _ in range(30):
        start = chance.randint(0, size)
        length = chance.randint(0, size - start)
        found = b"".join(sealed.read(store, start=start, length=length))
        assert found == content[start : start + length], (start, length)
    assert not list(tmp_path.glob("*.sealed"))


def test_chunks_cannot_change_places_and_a_shortened_file_does_not_open(tmp_path: Path) -> None:
    store, sealed = stored(tmp_path, bytes(2 * CHUNK_BYTES + 5))
    path, step = tmp_path / "store/a/1/file", CHUNK_BYTES + TAG_BYTES
    whole = path.read_bytes()
    path.write_bytes(whole[step : 2 * step] + whole[:step] + whole[2 * step :])
    with pytest.raises(ProviderRejected, match="was changed"):
        list(sealed.read(store, start=0, length=10))
    path.write_bytes(whole[: 2 * step])
    shorter = SealedFile("a/1/file", 2 * CHUNK_BYTES, sealed.key)
    with pytest.raises(ProviderRejected, match="was changed"):
        list(shorter.read(store, start=0, length=2 * CHUNK_BYTES))


def test_a_sensitive_jobs_file_is_sealed_in_the_store_and_its_next_attempt_reads_it(
    platform: Platform,
) -> None:
    fetched: list[bytes] = []

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        def write() -> None:
            path = ctx.workdir / "list.txt"
            path.write_bytes(PLANTED)
            ctx.artifact("list.txt", path, "text/plain")

        ctx.step("write", write)
        ctx.wait_for("go")
        fetched.append(ctx.fetch("list.txt").read_bytes())

    with trial(platform, handler, is_sensitive=True) as run:
        job_id = run.submit()
        run.attempt(job_id)
        with run.runtime.sessions.begin() as session:
            row = session.get_one(JobArtifact, (job_id, "list.txt"))
            found = sealed_file(run.runtime.vault, row)
        assert row.size_bytes == len(PLANTED)
        files = platform.settings.artifacts_path.rglob("*")
        assert all(PLANTED not in path.read_bytes() for path in files if path.is_file())
        assert found is not None
        read = found.read(platform.artifacts, start=8, length=4)
        assert b"".join(read) == PLANTED[8:12]
        control.signal(run.runtime, job_id, "go")
        run.attempt(job_id)
    assert fetched == [PLANTED]
