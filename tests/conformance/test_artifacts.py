"""What every artifact store does; S3 is moto's server on a real socket."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from buckets import running_s3, store_in
from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.artifacts.local import LocalArtifacts
from stellwerk.providers.artifacts.protocol import ArtifactStorage

pytestmark = pytest.mark.xdist_group("s3")  # so that one server is started
KEY = "0190-job/1/video.mp4"
LARGE_BYTES = 9 * 1024 * 1024  # over boto3's multipart threshold


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with running_s3() as url:
        yield url


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStorage:
    if request.param == "local":
        return LocalArtifacts(tmp_path / "artifacts")
    return store_in(request.getfixturevalue("s3_url"), is_new=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(bytes(range(256)) * (LARGE_BYTES // 256))
    return path


def test_what_was_put_is_read_back_whole(
    store: ArtifactStorage, file: Path, tmp_path: Path
) -> None:
    stored = store.put(KEY, file, "video/mp4")

    assert stored.size_bytes == LARGE_BYTES
    assert stored.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    store.get(KEY, tmp_path / "copy.mp4")
    assert (tmp_path / "copy.mp4").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(("start", "length"), [(0, 10), (1000, 300_000), (LARGE_BYTES - 1, 1)])
def test_a_range_is_read_exactly(
    store: ArtifactStorage, file: Path, start: int, length: int
) -> None:
    store.put(KEY, file, "video/mp4")

    read = b"".join(store.read(KEY, start=start, length=length))

    assert read == file.read_bytes()[start : start + length]


def test_nothing_is_read_of_an_empty_range(store: ArtifactStorage, file: Path) -> None:
    store.put(KEY, file, "video/mp4")
    assert b"".join(store.read(KEY, start=5, length=0)) == b""


def test_putting_again_replaces(store: ArtifactStorage, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    for content in ("first", "second"):
        path.write_text(content)
        store.put("job/1/note.txt", path, "text/plain")
    assert b"".join(store.read("job/1/note.txt", start=0, length=100)) == b"second"


def test_a_missing_object_is_refused_for_good(store: ArtifactStorage, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        store.get("job/1/missing", tmp_path / "copy")
    with pytest.raises(ProviderRejected):
        b"".join(store.read("job/1/missing", start=0, length=1))


def test_deleting_is_repeatable(store: ArtifactStorage, file: Path, tmp_path: Path) -> None:
    store.put(KEY, file, "video/mp4")
    store.delete(KEY)
    store.delete(KEY)
    with pytest.raises(ProviderRejected):
        store.get(KEY, tmp_path / "copy")


def test_a_folder_goes_with_everything_in_it_and_nothing_beside_it(
    store: ArtifactStorage, tmp_path: Path
) -> None:
    path = tmp_path / "note.txt"
    path.write_text("hello")
    keys = ["job/1/note.txt", "job/2/note.txt", "job-2/1/note.txt"]
    for key in keys:
        store.put(key, path, "text/plain")

    assert store.delete_folder("job") == 2
    assert store.delete_folder("job") == 0
    for key in keys[:2]:
        with pytest.raises(ProviderRejected):
            b"".join(store.read(key, start=0, length=5))
    assert b"".join(store.read(keys[2], start=0, length=5)) == b"hello"


def test_a_working_store_passes_its_check(store: ArtifactStorage) -> None:
    store.check()


def test_a_key_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        LocalArtifacts(tmp_path / "artifacts").get("../../etc/passwd", tmp_path / "copy")


def test_a_store_that_does_not_answer_is_unavailable(file: Path) -> None:
    with pytest.raises(ProviderUnavailable):
        store_in("http://127.0.0.1:9").put(KEY, file, "video/mp4")


def test_a_missing_bucket_is_refused_for_good(s3_url: str, file: Path) -> None:
    with pytest.raises(ProviderRejected):
        store_in(s3_url, bucket="nowhere").put(KEY, file, "video/mp4")
