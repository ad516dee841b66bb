import hashlib
from pathlib import Path
from uuid import UUID

import pytest

from api import ApiUser, error_of
from stellwerk.bootstrap import Platform
from stellwerk.jobs.model import JobArtifact

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "video ä.mp4"


@pytest.fixture
def path(platform: Platform, ada: ApiUser, tmp_path: Path) -> str:
    job_id = ada.submit()
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    key = f"{job_id}/1/{NAME}"
    platform.artifacts.put(key, file, "video/mp4")
    row = JobArtifact(
        job_id=UUID(job_id),
        name=NAME,
        attempt=1,
        storage_key=key,
        content_type="video/mp4",
        size_bytes=len(CONTENT),
        sha256=SHA256,
    )
    with platform.runtime.sessions.begin() as session:
        session.add(row)
    platform.live_client.redis.flushdb()
    return f"/jobs/{job_id}/artifacts/{NAME}"


def test_an_artifact_is_a_download_that_no_browser_runs(ada: ApiUser, path: str) -> None:
    answer = ada.get(path)
    assert (answer.status_code, answer.data) == (200, CONTENT)
    assert answer.content_type == "video/mp4"
    assert answer.headers["ETag"] == f'"{SHA256}"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")


def test_the_list_leads_to_it(ada: ApiUser, path: str) -> None:
    found = ada.get(path.rpartition("/")[0]).get_json()["items"]
    assert [(one["name"], one["size_bytes"]) for one in found] == [(NAME, len(CONTENT))]
    assert ada.client.get(found[0]["url"], headers=dict(ada.credentials)).data == CONTENT


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=500000-", 500_000, len(CONTENT)),
        ("bytes=-10", len(CONTENT) - 10, len(CONTENT)),
        ("bytes=1048575-9999999", len(CONTENT) - 1, len(CONTENT)),
    ],
)
def test_a_range_is_206(ada: ApiUser, path: str, asked: str, start: int, end: int) -> None:
    answer = ada.get(path, headers={"Range": asked})
    assert (answer.status_code, answer.data) == (206, CONTENT[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert answer.headers["Content-Length"] == str(end - start)


def test_a_range_outside_the_file_is_416(ada: ApiUser, path: str) -> None:
    answer = ada.get(path, headers={"Range": "bytes=2000000-"})
    assert error_of(answer, 416)["code"] == "RANGE_NOT_SATISFIABLE"
    assert answer.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "nonsense", "bytes=9-2"])
def test_a_range_we_do_not_serve_gets_the_whole(ada: ApiUser, path: str, asked: str) -> None:
    answer = ada.get(path, headers={"Range": asked})
    assert (answer.status_code, len(answer.data)) == (200, len(CONTENT))


@pytest.mark.parametrize(
    ("tag", "status"), [(f'"{SHA256}"', 206), ('"older"', 200), (f'W/"{SHA256}"', 200)]
)
def test_a_range_made_for_another_version_gets_the_whole(
    ada: ApiUser, path: str, tag: str, status: int
) -> None:
    answer = ada.get(path, headers={"Range": "bytes=0-9", "If-Range": tag})
    assert answer.status_code == status


def test_head_tells_the_size_and_sends_nothing(ada: ApiUser, path: str) -> None:
    answer = ada.send("HEAD", path)
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(CONTENT))


def test_a_file_the_client_has_is_304(ada: ApiUser, path: str) -> None:
    answer = ada.get(path, headers={"If-None-Match": f'"{SHA256}"'})
    assert (answer.status_code, answer.data) == (304, b"")


def test_a_file_that_vanished_from_the_store_is_410(
    platform: Platform, ada: ApiUser, path: str
) -> None:
    job_id = path.split("/")[2]
    platform.artifacts.delete(f"{job_id}/1/{NAME}")
    error_of(ada.get(path), 410)


def test_an_unknown_artifact_is_404(ada: ApiUser, path: str) -> None:
    for name in ("nothing", "x" * 5000, "..%2f..%2fetc%2fpasswd"):
        error_of(ada.get(f"{path.rpartition('/')[0]}/{name}"), 404)


def test_somebody_elses_artifact_is_404(bob: ApiUser, path: str) -> None:
    error_of(bob.get(path), 404)
