"""The API for tests: the real application through Flask's test client, and people who use it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from people import add_user, quickly_hashed
from stellwerk_api.context import EXTENSION

API = "/api/v1"
PASSWORD = "correct horse battery staple"  # noqa: S105  of throw-away users
UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"


@dataclass(slots=True)
class ApiUser:
    """Somebody who uses the API; without credentials they are nobody."""

    client: FlaskClient
    credentials: Mapping[str, str] = field(default_factory=dict)
    user: Mapping[str, Any] = field(default_factory=dict)
    refresh_token: str = ""

    def get(self, path: str, **arguments: Any) -> TestResponse:
        """GET, below /api/v1."""
        return self.send("GET", path, **arguments)

    def post(self, path: str, json: Any = None, **arguments: Any) -> TestResponse:
        """POST, below /api/v1."""
        return self.send("POST", path, json=json, **arguments)

    def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> TestResponse:
        """Any request, below /api/v1."""
        sent = {**self.credentials, **(headers or {})}
        return self.client.open(f"{API}{path}", method=method, headers=sent, **arguments)

    def submit(self, operation: str = "diagnostics.echo", **body: Any) -> str:
        """Submit a job, for later unless told otherwise, so that no worker takes it."""
        answer = self.post("/jobs", {"operation": operation, "run_at": in_an_hour(), **body})
        assert answer.status_code == 202, answer.text
        return str(answer.get_json()["job_id"])

    def with_key(self, **body: Any) -> "ApiUser":
        """The same person, using a new API key."""
        answer = self.post("/api-keys", {"name": f"test {token_hex(4)}", **body})
        assert answer.status_code == 201, answer.text
        bearer = {"Authorization": f"Bearer {answer.get_json()['key']}"}
        return ApiUser(self.client, bearer, {**self.user, "key_id": answer.get_json()["id"]})


def in_an_hour() -> str:
    """A `run_at` that lies ahead for as long as a test runs."""
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def account(**fields: str) -> dict[str, str]:
    """The body of a registration: somebody new."""
    return {"email": f"{token_hex(6)}@example.com", "password": PASSWORD, **fields}


def signed_up(client: FlaskClient, **fields: str) -> ApiUser:
    """Somebody new, signed in; put into the ledger, since a registration has mails written."""
    body = account(**fields)
    platform = client.application.extensions[EXTENSION]
    password = body.pop("password")
    add_user(platform, password_hash=quickly_hashed(password), **body)
    return signed_in(client, body["email"], password)


def signed_in(client: FlaskClient, email: str, password: str = PASSWORD, **fields: str) -> ApiUser:
    """Somebody who has an account."""
    body = {"email": email, "password": password, **fields}
    return with_tokens(client, ApiUser(client).post("/auth/login", body))


def renewed(user: ApiUser) -> ApiUser:
    """The same person with the next tokens of their session."""
    answer = ApiUser(user.client).post("/auth/refresh", {"refresh_token": user.refresh_token})
    return with_tokens(user.client, answer)


def with_tokens(client: FlaskClient, answer: TestResponse) -> ApiUser:
    """Whoever this answer signs in."""
    assert answer.status_code == 200, answer.text
    said = answer.get_json()
    bearer = {"Authorization": f"Bearer {said['access_token']}"}
    return ApiUser(client, bearer, said["user"], said["refresh_token"])


def error_of(answer: TestResponse, status: int) -> dict[str, Any]:
    """The error in the envelope, which has to be whole; the status has to be this one."""
    assert answer.status_code == status, answer.text[:500]
    assert answer.content_type == "application/json"
    body = answer.get_json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "details", "timestamp", "request_id"}
    assert error["request_id"] == answer.headers["X-Request-ID"]
    return error
