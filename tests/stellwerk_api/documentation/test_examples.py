"""What the OpenAPI document shows of a poll is what a poll is answered with."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import UNKNOWN_ID, ApiUser, error_of
from stellwerk.bootstrap import Platform
from stellwerk.jobs.remains import JobTombstone
from stellwerk_api.jobs.documents import JobDocument

POLL = "/api/v1/jobs/{job_id}"
PURGED_ID = UNKNOWN_ID.replace("0000-7000", "0000-7001")


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/openapi.json").get_json()
    return found


@pytest.fixture
def answers(
    platform: Platform, ada: ApiUser, admin: ApiUser, nobody: ApiUser
) -> Mapping[str, TestResponse]:
    """Each answer that a poll may have, while the platform works."""
    with platform.runtime.sessions.begin() as session:
        session.add(JobTombstone(job_id=UUID(PURGED_ID), owner_id=ada.user["id"]))
    path = f"/jobs/{ada.submit()}"
    found = ada.get(path)
    return {
        "200": found,
        "304": ada.get(path, headers={"If-None-Match": found.headers["ETag"]}),
        "401": nobody.get(path),
        "403": ada.with_key(scopes=["write"]).get(path),
        "404": ada.get(f"/jobs/{UNKNOWN_ID}"),
        "410": ada.get(f"/jobs/{PURGED_ID}"),
        "422": ada.get(f"{path}?wait=never"),
        "429": refused_by_limit(admin, ada, path),
    }


def refused_by_limit(admin: ApiUser, ada: ApiUser, path: str) -> TestResponse:
    once = dict.fromkeys(("free", "pro", "enterprise"), "1/h")
    admin.send("PUT", "/admin/config/rates.polls", json={"value": once})
    ada.get(path)
    return ada.get(path)


def documented(document: dict[str, Any]) -> dict[str, Any]:
    """A poll's answers by status, their references followed."""
    shared = document["components"]["responses"]
    answers = document["paths"][POLL]["get"]["responses"]
    return {
        status: shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        for status, answer in answers.items()
    }


def test_every_status_of_a_poll_is_documented_with_its_headers(
    document: dict[str, Any], answers: Mapping[str, TestResponse]
) -> None:
    known = documented(document)
    assert set(known) - set(answers) == {"default", "500", "503"}
    for status, answer in answers.items():
        assert str(answer.status_code) == status
        for header in known[status].get("headers", ()):
            assert header in answer.headers, (status, header)


def test_the_examples_of_a_polls_refusals_are_what_is_answered(
    document: dict[str, Any], answers: Mapping[str, TestResponse]
) -> None:
    known = documented(document)
    for status in ("401", "403", "404", "410", "422", "429"):
        example = known[status]["content"]["application/json"]["example"]["error"]
        error = error_of(answers[status], int(status))
        assert (error["code"], set(error)) == (example["code"], set(example))


def test_the_example_of_a_job_is_a_whole_one(
    document: dict[str, Any], answers: Mapping[str, TestResponse]
) -> None:
    example = documented(document)["200"]["content"]["application/json"]["example"]
    assert list(example) == list(answers["200"].get_json())
    assert JobDocument().validate(example) == {}


def test_every_refusal_has_an_example(document: dict[str, Any]) -> None:
    for name, response in document["components"]["responses"].items():
        if name != "DEFAULT_ERROR":
            assert response["content"]["application/json"]["example"]["error"]["code"], name
