import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from stellwerk.bootstrap import Platform
from stellwerk_api.aliases import EXTENSION as ALIASES
from stellwerk_api.app import create_app, openapi_document

METHODS = {"get", "post", "patch", "delete", "put"}


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/openapi.json").get_json()
    return found


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def documented(rule: str) -> str:
    return re.sub(r"<(?:[^:>]*:)?([^>]*)>", r"{\1}", rule)


def test_the_document_is_valid_openapi_31(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_the_document_is_made_for_the_first_who_asks_and_not_for_a_start(
    platform: Platform,
) -> None:
    openapi_document.cache_clear()
    clients = [create_app(platform).test_client() for _ in range(2)]
    assert openapi_document.cache_info().misses == 0
    first, second = (client.get("/api/openapi.json").data for client in clients)
    assert first == second
    assert openapi_document.cache_info().misses == 1


def test_every_route_is_documented(application: Flask, document: dict[str, Any]) -> None:
    unlisted = {  # aliases are told of where they end one day; else the canonical route is
        path for path, alias in application.extensions[ALIASES].items() if not alias.deprecation
    }
    routed = {
        f"{method} {documented(rule.rule)}"
        for rule in application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.endpoint.startswith("documentation.") and rule.rule not in unlisted
    }
    assert set(operations(document)) == routed


def test_every_operation_documents_its_errors_and_its_security(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        statuses = set(operation["responses"])
        assert {"500", "503"} <= statuses, name
        if operation["security"]:
            assert {"401", "403"} <= statuses, name
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= statuses, name
        if "{" in name and "{name}" not in name:
            assert "404" in statuses, name
        assert operation["summary"], name


def parameters(operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operation.get("parameters", ()) if "name" in one}


def test_every_submission_documents_how_to_wait_and_the_job_that_is_then_answered(
    document: dict[str, Any],
) -> None:
    submissions = {
        name: operation
        for name, operation in operations(document).items()
        if "Location" in operation["responses"].get("202", {}).get("headers", ())
    }
    assert {"POST /api/v1/jobs", "POST /api/v1/videos/generate"} <= set(submissions)
    for name, operation in submissions.items():
        assert {"Prefer", "Idempotency-Key"} <= parameters(operation), name
        answer = operation["responses"]["200"]["content"]["application/json"]
        assert answer["schema"] == {"$ref": "#/components/schemas/JobDocument"}, name


def test_every_submission_documents_how_to_send_it_again(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        done = [operation["responses"].get(status, {}) for status in ("201", "202")]
        if any("Idempotency-Replayed" in answer.get("headers", ()) for answer in done):
            assert "Idempotency-Key" in parameters(operation), name
            assert {"400", "409", "422"} <= set(operation["responses"]), name
        else:
            assert "Idempotency-Key" not in parameters(operation), name


def test_polls_and_downloads_document_their_headers(document: dict[str, Any]) -> None:
    found = operations(document)
    assert {"Prefer", "wait", "If-None-Match"} <= parameters(found["GET /api/v1/jobs/{job_id}"])
    artifact = found["GET /api/v1/jobs/{job_id}/artifacts/{name}"]
    assert {"Range", "If-Range"} <= parameters(artifact)
    assert "Last-Event-ID" in parameters(found["GET /api/v1/jobs/{job_id}/events"])


def test_every_json_body_has_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        if "requestBody" in operation:
            assert "example" in operation["requestBody"]["content"]["application/json"], name


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for operation in operations(document).values()]
    assert len(ids) == len(set(ids))


def test_errors_are_documented_as_the_envelope(document: dict[str, Any]) -> None:
    for response in document["components"]["responses"].values():
        schema = response["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc"])
def test_the_pages_load_everything_from_here(client: FlaskClient, path: str) -> None:
    page = client.get(path)
    assert page.content_type.startswith("text/html")
    loaded = re.findall(r'(?:src|href|spec-url)="([^"]+)"', page.text)
    files = [url for url in loaded if not url.startswith("data:")]
    assert files
    for url in files:
        assert url.startswith("/")
        assert client.get(url).status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text


def test_an_unknown_asset_is_404(client: FlaskClient) -> None:
    assert client.get("/api/docs/assets/passwd").status_code == 404
