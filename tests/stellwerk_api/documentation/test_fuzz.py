"""The whole OpenAPI document, tried out with generated requests: as a user, an admin and nobody.

Whatever is sent, the status is a documented one, not of the server's failing, and the answer is as
its schema says. `make fuzz` tries more, and other requests each time.
"""

import os
from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from flask import Flask, Response, jsonify
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api import PASSWORD, ApiUser, signed_in, signed_up
from called import add_call, telephonist
from stellwerk.bootstrap import Platform
from stellwerk.connections.securing import end_ways_in
from stellwerk.identity.service import create_admin

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
IS_ASKED = "FUZZ_EXAMPLES" in os.environ  # else the same requests each time
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))  # of each operation, by each sender

pytestmark = pytest.mark.timeout(120 + 60 * EXAMPLES)


class Sender:
    """Somebody who sends generated requests, and signs in again where one of them ended that."""

    def __init__(self, name: str, platform: Platform, client: FlaskClient) -> None:
        self._name = name
        self._platform = platform
        self._client = client
        self._user = ApiUser(client)
        self._is_in = name == "nobody"  # as far as is known

    def headers(self) -> Mapping[str, str]:
        """Working credentials; none of nobody."""
        if not self._is_in and self._user.get("/auth/me").status_code != 200:
            self._user = self._new()
        self._is_in = True
        return dict(self._user.credentials)

    def sent(self, method: str) -> None:
        """A request that may have ended their session, or changed what they may do."""
        self._is_in = self._name == "nobody" or method.upper() == "GET"

    def things(self) -> Mapping[str, Any]:
        """Path parameters that lead to something."""
        if self._name == "nobody":
            return {}
        self.headers()
        call_id = add_call(self._platform, int(self._user.user["id"]), state="ringing")
        names = {"name": "diagnostics.echo", "call_id": str(call_id)}
        return {"job_id": self._user.submit(), **names}

    def _new(self) -> ApiUser:
        if self._name == "user":
            return telephonist(signed_up(self._client))
        email = "root@example.com"
        create_admin(self._platform.runtime.sessions, email, PASSWORD, promote=end_ways_in)
        return signed_in(self._client, email, PASSWORD)


@pytest.mark.parametrize("name", ["user", "admin", "nobody"])
def test_no_generated_request_is_answered_otherwise_than_documented(
    application: Flask, platform: Platform, client: FlaskClient, name: str
) -> None:
    assert faults(application, "/api/openapi.json", Sender(name, platform, client)) == []


@pytest.mark.parametrize("fault", ["status", "schema", "failure"])
def test_an_answer_that_is_not_as_documented_is_found(
    platform: Platform, client: FlaskClient, fault: str
) -> None:
    app = Flask("faulty")
    answers = {"status": ({"name": "a"}, 418), "schema": ({"name": 1}, 200), "failure": ({}, 500)}

    @app.get("/things")
    def things() -> tuple[Response, int]:
        body, status = answers[fault]
        return jsonify(body), status

    @app.get("/openapi.json")
    def document() -> Response:
        return jsonify(FAULTY)

    assert len(faults(app, "/openapi.json", Sender("nobody", platform, client))) == 1


def faults(app: Flask, document: str, sender: Sender) -> list[str]:
    """The operations that answered otherwise than their description, and how."""
    found = []
    for result in schemathesis.openapi.from_wsgi(document, app).get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        try:
            _try(operation, sender)
        except (Exception, FailureGroup) as exc:  # noqa: BLE001  each is told, with the others
            found.append(f"{operation.label}: {exc!r:.500}")
    return found


def _try(operation: Any, sender: Sender) -> None:
    """Send what Hypothesis makes of the operation's description."""
    things = sender.things()
    documented = operation.definition.raw["responses"]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=not IS_ASKED,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), aims=st.booleans())
    def send(case: Case[Any], *, aims: bool) -> None:
        if aims:
            known = {name: things[name] for name in case.path_parameters or {} if name in things}
            case.path_parameters = {**(case.path_parameters or {}), **known}
        answer = case.call(headers=dict(sender.headers()))
        sender.sent(case.method)
        case.validate_response(answer, checks=CHECKS)
        # `default` in the document would let every status pass:
        assert str(answer.status_code) in documented, f"{answer.status_code} {answer.text[:200]}"

    send()


FAULTY = {
    "openapi": "3.1.0",
    "info": {"title": "Faulty", "version": "1"},
    "paths": {
        "/things": {
            "get": {
                "responses": {
                    "200": {
                        "description": "A thing",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "properties": {"name": {"type": "string"}},
                                }
                            }
                        },
                    },
                    "500": {"description": "Documented, and a failure all the same"},
                    "default": {"description": "Anything"},
                }
            }
        }
    },
}
