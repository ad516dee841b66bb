"""Only its owner is shown what a sensitive job came to, and by one route alone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask

from api import ApiUser, error_of
from stellwerk.bootstrap import Platform
from stellwerk.jobs.model import JobArtifact
from stellwerk.jobs.sealed_files import put
from stellwerk.jobs.sealing import MASKED
from stellwerk_api import context
from stellwerk_api.limit_headers import AS_EVENT
from trial import NAME, Trial, trial

PLANTED = "planted-4711-secret"


@pytest.fixture
def whispering(application: Flask, platform: Platform) -> Iterator[Trial]:
    """A sensitive operation that ends with what it was given, and a worker of it."""

    def handler(ctx: object, payload: dict[str, str]) -> dict[str, str]:
        ctx.log(f"begun with {payload['value']}")  # type: ignore[attr-defined]  # a JobContext
        return {"said": payload["value"]}

    with trial(platform, handler, is_sensitive=True) as run, _installed(application, platform, run):
        yield run


@contextmanager
def _installed(application: Flask, platform: Platform, run: Trial) -> Iterator[None]:
    application.extensions[context.EXTENSION] = replace(platform, runtime=run.runtime)
    yield
    application.extensions[context.EXTENSION] = platform


@pytest.fixture
def ended(whispering: Trial, ada: ApiUser) -> str:
    """The id of Ada's job, which has run."""
    job_id = whispering.submit(value=PLANTED, owner_id=ada.user["id"])
    whispering.attempt(job_id)
    return str(job_id)


def test_its_owner_reads_the_result_and_nobody_else(
    ended: str, ada: ApiUser, bob: ApiUser, admin: ApiUser
) -> None:
    for _ in range(2):  # the second is asked of what the first put into Redis
        answer = ada.get(f"/jobs/{ended}")
        assert answer.get_json()["result"] == {"said": PLANTED}
        assert answer.get_json()["sensitive"] is True
        assert admin.get(f"/jobs/{ended}").get_json()["result"] == MASKED
    assert ada.get(f"/jobs/{ended}", headers={AS_EVENT: "1"}).get_json()["result"] == MASKED
    assert bob.get(f"/jobs/{ended}").status_code == 404
    etag = answer.headers["ETag"]
    assert ada.get(f"/jobs/{ended}", headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("path", ["/jobs", f"/jobs?operation={NAME}", "/jobs?all=true"])
def test_lists_mask_it(ended: str, ada: ApiUser, admin: ApiUser, path: str) -> None:
    who = admin if "all" in path else ada
    (found,) = who.get(path).get_json()["items"]
    assert (found["job_id"], found["result"]) == (ended, MASKED)
    assert PLANTED not in json.dumps(found)


def test_its_owner_reads_the_log_and_others_see_that_there_is_one(
    ended: str, ada: ApiUser, admin: ApiUser
) -> None:
    first, last = ada.get(f"/jobs/{ended}/logs").get_json()["items"]
    assert (first["message"], last["message"]) == (f"begun with {PLANTED}", "completed")
    masked, _ = admin.get(f"/jobs/{ended}/logs").get_json()["items"]
    assert (masked["message"], masked["fields"]) == ("", MASKED)


def test_its_owner_alone_downloads_its_files(
    ended: str, ada: ApiUser, admin: ApiUser, platform: Platform, tmp_path: Path
) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(PLANTED.encode() * 10_000)
    stored, key = put(platform.artifacts, "a/1/list.txt", path)
    with platform.runtime.sessions.begin() as session:
        session.add(
            JobArtifact(
                job_id=UUID(ended),
                name="list.txt",
                attempt=1,
                storage_key="a/1/list.txt",
                content_type="text/plain",
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                sealed_key=platform.runtime.vault.seal(key.decode(), ended),
            )
        )
    url = f"/jobs/{ended}/artifacts/list.txt"
    assert ada.get(url).data == path.read_bytes()
    part = ada.get(url, headers={"Range": "bytes=100000-100018"})
    assert (part.status_code, part.data) == (206, path.read_bytes()[100_000:100_019])
    assert error_of(admin.get(url), 403)["code"] == "NOT_PERMITTED"


def test_the_live_status_and_the_events_mask_it(ended: str, platform: Platform) -> None:
    shown = platform.live.read(UUID(ended))
    assert shown is not None
    assert PLANTED.encode() not in shown.document
    assert json.loads(shown.document)["result"] == MASKED
