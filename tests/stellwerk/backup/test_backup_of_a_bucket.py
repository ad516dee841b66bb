"""Where files are in S3 they are left to the bucket, or saved with all else when that is asked."""

import gc
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from buckets import running_s3, store_in
from command_line import CommandLine
from embedded import fresh_database
from engine import as_variables
from people import add_user
from stellwerk.backup.restoring import restore
from stellwerk.backup.saving import save
from stellwerk.bootstrap import Platform
from stellwerk.choices import ArtifactStore
from stellwerk.errors import ProviderUnavailable
from stellwerk.jobs.model import JobArtifact
from stellwerk.jobs.submission import Submission, submit
from stellwerk.providers.artifacts.protocol import ArtifactStorage, StoredObject
from stellwerk.providers.artifacts.s3 import S3Artifacts
from stellwerk.providers.choice import artifact_storage
from stellwerk.settings import Settings

LARGE_BYTES = 9 * 2**20  # over boto3's multipart threshold
CONTENTS = {"film.mp4": b"a short film", "ä b.txt": b"a note", "none": b""}
LARGE = {**CONTENTS, "film.mp4": bytes(range(256)) * (LARGE_BYTES // 256)}


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with running_s3() as url:
        yield url


def in_bucket(settings: Settings, url: str) -> Settings:
    """The same with its files in a new bucket."""
    bucket = uuid4().hex
    store_in(url, bucket, is_new=True)
    s3 = {
        "artifact_store": ArtifactStore.S3,
        "s3_endpoint_url": url,
        "s3_bucket": bucket,
        "s3_access_key_id": "key",
        "s3_secret_access_key": SecretStr("secret"),
    }
    return settings.model_copy(update=s3)


@pytest.fixture
def here(platform: Platform, s3_url: str) -> Settings:
    return in_bucket(platform.settings, s3_url)


@pytest.fixture
def elsewhere(
    here: Settings, s3_url: str, postgres_server: str, tmp_path: Path
) -> Iterator[Settings]:
    """An empty database, an empty bucket."""
    with fresh_database(postgres_server) as url:
        places = {"database_url": SecretStr(url), "home": tmp_path / "home", "redis_url": ""}
        yield in_bucket(here.model_copy(update=places), s3_url)


@pytest.fixture
def contents(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """By name; a test may name others."""
    return getattr(request, "param", CONTENTS)


@pytest.fixture
def keys(
    platform: Platform, here: Settings, contents: dict[str, bytes], tmp_path: Path
) -> dict[str, bytes]:
    """What is in the bucket of a platform that is in use."""
    entry = Submission("diagnostics.echo", {"message": "x"}, add_user(platform))
    job_id = submit(platform.runtime, entry)
    path, store, put = tmp_path / "file", artifact_storage(here), {}
    for name, content in contents.items():
        path.write_bytes(content)
        put[add_file(platform, store, job_id, name, path)] = content
    return put


def add_file(
    platform: Platform, store: ArtifactStorage, job_id: UUID, name: str, path: Path
) -> str:
    key = f"{job_id}/1/{name}"
    stored = store.put(key, path, "video/mp4")
    row = JobArtifact(
        job_id=job_id,
        name=name,
        attempt=1,
        storage_key=key,
        content_type="video/mp4",
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
    )
    with platform.runtime.sessions.begin() as session:
        session.add(row)
    return key


def found(settings: Settings, keys: dict[str, bytes], folder: Path) -> dict[str, bytes]:
    """What its bucket has under these keys; raises ProviderRejected where one is missing."""
    store, copy, read = artifact_storage(settings), folder / "copy", {}
    for key in keys:
        store.get(key, copy)
        read[key] = copy.read_bytes()
    return read


def number_of_files(settings: Settings, keys: dict[str, bytes]) -> int:
    """Asked by removing them."""
    (job_id,) = {key.partition("/")[0] for key in keys}
    return artifact_storage(settings).delete_folder(job_id)


@pytest.mark.parametrize("contents", [LARGE], indirect=True, ids=["large"])
def test_files_of_a_bucket_are_saved_when_that_is_asked_and_come_back(
    here: Settings, elsewhere: Settings, keys: dict[str, bytes], tmp_path: Path
) -> None:
    file = str(tmp_path / "platform.backup")
    command_line = CommandLine(as_variables(here), tmp_path)
    made = command_line.json("backup", file, "--artifacts")
    assert (made["artifact_store"], made["artifacts"], made["missing"]) == ("s3", 3, [])

    ran = command_line.run("restore", file, **as_variables(elsewhere))
    assert (ran.code, "3 files" in ran.err) == (0, True), ran
    assert found(elsewhere, keys, tmp_path) == keys
    assert found(here, keys, tmp_path) == keys


def test_files_of_a_bucket_are_left_to_it_otherwise_and_a_restore_says_so(
    here: Settings, elsewhere: Settings, keys: dict[str, bytes], tmp_path: Path
) -> None:
    file = tmp_path / "platform.backup"
    manifest = save(here, file, artifact_storage(here), with_artifacts=None)
    assert manifest.has_artifacts is False
    ran = CommandLine(as_variables(elsewhere), tmp_path).run("restore", str(file))
    assert (ran.code, "it holds no files" in ran.err) == (0, True), ran
    assert number_of_files(elsewhere, keys) == 0


class FailingStore:
    """A bucket that takes one file and then no other."""

    def __init__(self, store: S3Artifacts) -> None:
        self._store = store
        self._puts = 0
        self.get, self.delete = store.get, store.delete

    def put(self, key: str, path: Path, content_type: str) -> StoredObject:
        self._puts += 1
        if self._puts == 2:
            raise ProviderUnavailable("S3 answered SlowDown.")
        return self._store.put(key, path, content_type)


def test_a_restore_that_fails_leaves_the_bucket_as_it_was(
    here: Settings, elsewhere: Settings, keys: dict[str, bytes], tmp_path: Path
) -> None:
    file = tmp_path / "platform.backup"
    save(here, file, artifact_storage(here), with_artifacts=True)
    failing = FailingStore(artifact_storage(elsewhere))  # type: ignore[arg-type]  # it is S3's
    with pytest.raises(ProviderUnavailable, match="SlowDown"):
        restore(elsewhere, file, failing)  # type: ignore[arg-type]  # it has what a restore uses
    assert number_of_files(elsewhere, keys) == 0


def test_files_that_are_gone_from_the_bucket_or_changed_are_named(
    here: Settings, keys: dict[str, bytes], tmp_path: Path
) -> None:
    gone, changed, _ = keys
    store = artifact_storage(here)
    store.delete(gone)
    (tmp_path / "other").write_bytes(b"another")
    store.put(changed, tmp_path / "other", "text/plain")
    manifest = save(here, tmp_path / "platform.backup", store, with_artifacts=True)
    assert (manifest.artifacts, set(manifest.missing)) == (1, {gone, changed})


@pytest.mark.usefixtures("keys")
def test_a_bucket_that_does_not_answer_makes_no_backup(here: Settings, tmp_path: Path) -> None:
    file = tmp_path / "platform.backup"
    with pytest.raises(ProviderUnavailable):
        save(here, file, store_in("http://127.0.0.1:9"), with_artifacts=True)
    gc.collect()  # a part that was not let go of would complain now
    assert list(tmp_path.glob("*platform.backup*")) == []
