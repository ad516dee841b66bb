"""A platform at work is backed up, and comes back whole in an empty place, or not at all."""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import text, update

from api import signed_in, signed_up
from attempts import attempt
from embedded import fresh_database, wait_until
from people import add_channel, add_user
from stellwerk.backup.archive import checked
from stellwerk.backup.restoring import restore
from stellwerk.backup.saving import save
from stellwerk.bootstrap import Platform, bootstrap, metadata
from stellwerk.db.migrate import current, head, upgrade
from stellwerk.errors import ConfigurationError, Conflict, ErrorCode, ProviderUnavailable
from stellwerk.jobs import dispatch
from stellwerk.jobs.model import Job, JobArtifact
from stellwerk.jobs.submission import Submission, submit
from stellwerk.live.clearing import clear
from stellwerk.providers.artifacts.local import LocalArtifacts
from stellwerk.settings import Settings
from stellwerk_api.app import create_app
from stellwerk_workers.reports import Came

KEY = "another-key-0123456789-0123456789-0123456789"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "platform.backup"


@pytest.fixture
def elsewhere(settings: Settings, postgres_server: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a platform with nothing in it: an empty database, an empty folder."""
    with fresh_database(postgres_server) as url:
        places = {"database_url": SecretStr(url), "artifact_dir": tmp_path / "elsewhere"}
        yield settings.model_copy(update=places)


@pytest.fixture
def restored(elsewhere: Settings) -> Iterator[Any]:
    """Opens the platform that a backup was restored to."""
    with ExitStack() as stack:

        def opened() -> Platform:
            platform = bootstrap(elsewhere, role="tests")
            stack.callback(platform.close)
            return platform

        yield opened


def store_of(settings: Settings) -> LocalArtifacts:
    return LocalArtifacts(settings.artifacts_path)


def saved(platform: Platform, file: Path, **how: Any) -> Any:
    return save(platform.settings, file, platform.artifacts, **{"with_artifacts": None, **how})


def with_file(platform: Platform, job_id: UUID, content: str, tmp_path: Path) -> str:
    key, path = f"{job_id}/1/note.txt", tmp_path / "note.txt"
    path.write_text(content)
    stored = platform.artifacts.put(key, path, "text/plain")
    row = JobArtifact(
        job_id=job_id,
        name="note.txt",
        attempt=1,
        storage_key=key,
        content_type="text/plain",
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
    )
    with platform.runtime.sessions.begin() as session:
        session.add(row)
    return key


def filled(platform: Platform, tmp_path: Path) -> UUID:
    """Somebody with a channel, a job that ended with odd words and a file, and one that waits."""
    user_id = add_user(platform, full_name="tab\tline\nback\\slash \u00e4\u4e2d \\N")
    add_channel(platform, user_id)
    done = submit(platform.runtime, Submission("diagnostics.echo", {"message": "\\N\t\n"}, user_id))
    assert attempt(platform.runtime, done) is Came.COMPLETED
    with_file(platform, done, "a note", tmp_path)
    return submit(platform.runtime, Submission("diagnostics.echo", {"message": "later"}, user_id))


def content(platform: Platform) -> dict[str, Any]:
    """A digest of every table, but for what was published."""
    with platform.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET published_at = NULL"))
        digest = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t"
        return {
            name: connection.execute(text(digest.format(name))).one() for name in metadata().tables
        }


def test_every_row_and_file_comes_back(
    platform: Platform, elsewhere: Settings, restored: Any, file: Path, tmp_path: Path
) -> None:
    filled(platform, tmp_path)
    made = saved(platform, file)
    assert (made.artifacts, made.missing, file.stat().st_mode & 0o777) == (1, [], 0o600)

    restore(elsewhere, file, store_of(elsewhere))

    there = restored()
    assert content(there) == content(platform)
    assert current(elsewhere.database()) == head()
    (path,) = elsewhere.artifacts_path.rglob("note.txt")
    assert path.read_text() == "a note"
    assert add_user(there) == add_user(platform)  # sequences go on


def test_people_sign_in_and_jobs_go_on_where_it_is_restored(
    platform: Platform, elsewhere: Settings, restored: Any, file: Path, tmp_path: Path
) -> None:
    ada = signed_up(create_app(platform).test_client())
    queued = filled(platform, tmp_path)
    running = submit(platform.runtime, Submission("diagnostics.echo", {}, None))
    with platform.runtime.sessions.begin() as session:
        lease = {"status": "running", "attempt": 1, "lease_until": text("now() - interval '1 h'")}
        session.execute(update(Job).where(Job.id == running).values(**lease))
    saved(platform, file)
    restore(elsewhere, file, store_of(elsewhere))
    there = restored()
    assert clear(there.live_client)
    assert there.live_client.redis.keys("stellwerk:*") == []

    dispatch.rescue_expired(there.runtime)

    for job_id in (queued, running):
        assert attempt(there.runtime, job_id) is Came.COMPLETED
    client = create_app(there).test_client()
    assert signed_in(client, ada.user["email"]).get("/users/me").status_code == 200
    ada.client = client
    assert ada.get("/users/me").status_code == 200  # with the token of before


def test_a_backup_under_load_is_of_one_moment(
    platform: Platform, elsewhere: Settings, restored: Any, file: Path, tmp_path: Path
) -> None:
    filled(platform, tmp_path)
    before = {submit(platform.runtime, Submission("diagnostics.echo", {}, None)) for _ in range(20)}
    stop, made = Event(), set[UUID]()

    def load() -> None:
        while not stop.is_set():
            made.add(submit(platform.runtime, Submission("diagnostics.echo", {}, None)))

    worker = Thread(target=load)
    worker.start()
    try:
        wait_until(lambda: len(made) > 10)
        manifest = saved(platform, file)
        seen = len(made)
        wait_until(lambda: len(made) > seen + 10)
    finally:
        stop.set()
        worker.join()
    restore(elsewhere, file, store_of(elsewhere))

    with restored().runtime.sessions() as session:
        found = set(session.scalars(text("SELECT id FROM jobs")))
    assert before <= found
    assert len(found) == manifest.tables["jobs"]["rows"] < len(before) + len(made)


def test_a_database_in_use_is_replaced_only_when_told_to(
    platform: Platform, elsewhere: Settings, restored: Any, file: Path, tmp_path: Path
) -> None:
    filled(platform, tmp_path)
    saved(platform, file)
    upgrade(elsewhere.database())
    there = restored()
    add_user(there)
    before = content(there)

    with pytest.raises(Conflict, match="--force"):
        restore(elsewhere, file, store_of(elsewhere))
    assert content(there) == before
    restore(elsewhere, file, store_of(elsewhere), force=True)
    assert content(there) == content(platform)


class FullStore(LocalArtifacts):
    """A store that takes a file, does not take the next, and takes others again."""

    puts = 0

    def put(self, key: str, path: Path, content_type: str) -> Any:
        self.puts += 1
        if self.puts == 2:
            raise ProviderUnavailable("The disk is full.")
        return super().put(key, path, content_type)


def test_a_restore_that_fails_leaves_nothing_behind(
    platform: Platform, elsewhere: Settings, restored: Any, file: Path, tmp_path: Path
) -> None:
    with_file(platform, filled(platform, tmp_path), "another note", tmp_path)
    saved(platform, file)

    with pytest.raises(ProviderUnavailable):
        restore(elsewhere, file, FullStore(elsewhere.artifacts_path))

    assert not list(elsewhere.artifacts_path.rglob("note.txt"))
    with restored().runtime.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM users")) == 0
        assert session.scalar(text("SELECT count(*) FROM jobs")) == 0


def test_a_restore_that_fails_leaves_the_files_that_were_there(
    platform: Platform, file: Path, tmp_path: Path
) -> None:
    entry = Submission("diagnostics.echo", {"message": "x"}, add_user(platform))
    other = submit(platform.runtime, entry)
    keys = [
        with_file(platform, job_id, "a note", tmp_path)
        for job_id in (filled(platform, tmp_path), other)
    ]
    saved(platform, file)
    first, second = (platform.settings.artifacts_path / key for key in keys)
    first.write_text("changed since")
    second.write_text("changed as well")

    with pytest.raises(ProviderUnavailable):
        restore(platform.settings, file, FullStore(platform.settings.artifacts_path), force=True)

    assert first.read_text() == "changed since"
    assert second.read_text() == "changed as well"


@pytest.mark.parametrize("word", [b"a note", b"later"])
def test_a_damaged_file_is_refused_before_anything_is_written(
    platform: Platform, elsewhere: Settings, file: Path, tmp_path: Path, word: bytes
) -> None:
    filled(platform, tmp_path)
    saved(platform, file)
    plain = bytearray(gzip.decompress(file.read_bytes()))
    plain[plain.find(word)] ^= 1
    file.write_bytes(gzip.compress(bytes(plain)))

    with pytest.raises(ConfigurationError, match="is damaged") as refused:
        restore(elsewhere, file, store_of(elsewhere))
    assert refused.value.code == ErrorCode.CONFIGURATION
    assert current(elsewhere.database()) is None


def test_half_a_file_is_refused(
    platform: Platform, elsewhere: Settings, file: Path, tmp_path: Path
) -> None:
    filled(platform, tmp_path)
    saved(platform, file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ConfigurationError):
        checked(file)
    file.write_bytes(b"no backup")
    with pytest.raises(ConfigurationError, match="no backup"):
        restore(elsewhere, file, store_of(elsewhere))


def test_a_backup_sealed_with_another_key_is_refused(
    platform: Platform, elsewhere: Settings, file: Path
) -> None:
    saved(platform, file)
    other = elsewhere.model_copy(update={"encryption_key": SecretStr(KEY)})
    with pytest.raises(ConfigurationError, match="STELLWERK_ENCRYPTION_KEY"):
        restore(other, file, store_of(elsewhere))
    both = SecretStr(f"{KEY},{platform.settings.encryption_keys()[0]}")
    rotated = elsewhere.model_copy(update={"encryption_key": both})
    restore(rotated, file, store_of(elsewhere))


def test_a_backup_names_files_that_are_missing_and_replaces_no_other(
    platform: Platform, file: Path, tmp_path: Path
) -> None:
    job_id = filled(platform, tmp_path)
    key = with_file(platform, job_id, "gone", tmp_path)
    platform.artifacts.delete(key)
    assert saved(platform, file).missing == [key]
    with pytest.raises(ConfigurationError, match="exists already"):
        saved(platform, file)
    assert list(tmp_path.glob(".*.part")) == []


def test_files_can_be_left_out(platform: Platform, file: Path, tmp_path: Path) -> None:
    filled(platform, tmp_path)
    assert saved(platform, file, with_artifacts=False).has_artifacts is False
    assert not [name for name in checked(file).members if name.startswith("artifacts/")]
