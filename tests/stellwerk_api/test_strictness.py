"""What is sent is taken as it is or refused by name: nothing is guessed, and nothing overlooked.

The requests are made from the OpenAPI document, so that no route is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import UNKNOWN_ID, ApiUser, error_of
from called import telephonist

CHANGES = ("post", "put", "patch", "delete")
WRONG: Mapping[str, tuple[Any, ...]] = {
    "boolean": ("yes", "true", 1, 0.0),
    "integer": ("5", True, 1.5),
    "number": ("1.5", True),
    "string": (5, True, ["x"]),
    "array": ({"x": 1}, "x"),
    "object": ([], "x"),
}
WRONG_TEXTS: Mapping[str, tuple[str, ...]] = {
    "boolean": ("yes", "1", "on"),
    "integer": ("1_0", " 5", "+5", "\u0665", "1.0"),
}
PATH = {"name": "diagnostics.echo", "provider": "google", "token": "x", "video_id": "1"}
ANYTHING_GOES = {"/api/v1/auth/{provider}/callback"}  # its parameters are not ours to choose
# Neither is what is signed: call_events/test_twilio.py and test_telnyx.py send that.
SIGNED = {"/api/v1/call-events/{carrier}"}


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    template: str
    operation: Mapping[str, Any]
    document: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.template}"

    @property
    def path(self) -> str:
        filled = self.template
        for parameter in self.operation.get("parameters", ()):
            if parameter["in"] == "path":
                kind, name = parameter["schema"].get("type"), parameter["name"]
                value = PATH.get(name, "1" if kind == "integer" else UNKNOWN_ID)
                filled = filled.replace(f"{{{name}}}", value)
        return filled

    @property
    def body(self) -> Mapping[str, Any] | None:
        content = self.operation.get("requestBody", {}).get("content", {})
        return resolved(content["application/json"]["schema"], self.document) if content else None

    @property
    def queries(self) -> Mapping[str, Mapping[str, Any]]:
        return {
            parameter["name"]: parameter["schema"]
            for parameter in self.operation.get("parameters", ())
            if parameter["in"] == "query"
        }

    def send(self, user: ApiUser, **arguments: Any) -> Any:
        return user.client.open(
            self.path, method=self.method, headers=dict(user.credentials), **arguments
        )

    def refused(self, user: ApiUser, **arguments: Any) -> set[str]:
        """The fields that a refusal names; with another status than 422 none."""
        answer = self.send(user, **arguments)
        if answer.status_code != 422:
            return set()
        return {one["field"] for one in answer.get_json()["error"]["details"].get("errors", ())}


def resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def kinds(schema: Mapping[str, Any]) -> set[str]:
    found = schema.get("type", ())
    return {found} if isinstance(found, str) else set(found)


@pytest.fixture
def admin(admin: ApiUser) -> ApiUser:
    """With a session that may place calls."""
    return telephonist(admin)


@pytest.fixture
def routes(client: FlaskClient) -> list[Route]:
    document = client.get("/api/openapi.json").get_json()
    return [
        Route(
            method,
            template,
            {
                **operation,
                "parameters": [*item.get("parameters", ()), *operation.get("parameters", ())],
            },
            document,
        )
        for template, item in document["paths"].items()
        for method, operation in item.items()
        if method in {"get", *CHANGES} and template not in SIGNED
    ]


def mistyped(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """For each member of an object values of other types than it has, and where that shows."""
    for name, member in schema.get("properties", {}).items():
        one = resolved(member, document)
        for value in wrong_values(one):
            yield name, {name: value}
        for value in wrong_values(resolved(one.get("items", {}), document)):
            yield f"{name}.0", {name: [value]}


def wrong_values(schema: Mapping[str, Any]) -> list[Any]:
    """Those that are of none of its types."""
    wrong = [{repr(value): value for value in WRONG[kind]} for kind in kinds(schema) - {"null"}]
    return (
        [value for text, value in wrong[0].items() if all(text in one for one in wrong)]
        if wrong
        else []
    )


def test_a_member_of_another_type_is_refused_by_name(routes: list[Route], admin: ApiUser) -> None:
    taken = [
        f"{route} took {body}"
        for route in routes
        if route.body
        for field, body in mistyped(route.body, route.document)
        if field not in route.refused(admin, json=body)
    ]
    assert taken == []


def test_a_payload_member_of_another_type_is_refused_by_name(admin: ApiUser) -> None:
    taken = [
        f"{operation['name']} took {payload}"
        for operation in admin.get("/operations").get_json()["items"]
        for field, payload in mistyped(operation["payload_schema"], {})
        if f"payload.{field}" not in fields_of(admin, operation["name"], payload)
    ]
    assert taken == []


def fields_of(user: ApiUser, operation: str, payload: Any) -> set[str]:
    answer = user.post("/jobs", {"operation": operation, "payload": payload})
    if answer.status_code != 422:
        return set()
    return {one["field"] for one in answer.get_json()["error"]["details"].get("errors", ())}


def test_a_member_that_no_route_knows_is_refused_by_name(
    routes: list[Route], admin: ApiUser
) -> None:
    changing = [route for route in routes if route.method in CHANGES]
    taken = [
        str(route) for route in changing if "colour" not in route.refused(admin, json={"colour": 1})
    ]
    assert len(changing) > 40
    assert taken == []


def test_a_body_that_is_no_object_is_refused_where_none_is_read(
    routes: list[Route], admin: ApiUser
) -> None:
    without = [route for route in routes if route.method in CHANGES and not route.body]
    assert [str(route) for route in without if route.refused(admin, json=[1]) != {""}] == []
    for data, content_type, status in (
        (b"{", "application/json", 400),
        (b"x=1", "application/x-www-form-urlencoded", 415),
    ):
        for route in without:
            error_of(route.send(admin, data=data, content_type=content_type), status)


def test_an_empty_object_is_no_body(ada: ApiUser) -> None:
    for body in (dict[str, str](), None):
        assert ada.post(f"/jobs/{ada.submit()}/cancel", body).status_code == 202


def test_a_query_parameter_without_a_value_is_refused_by_name(
    routes: list[Route], admin: ApiUser
) -> None:
    taken = [
        f"{route} took {name}="
        for route in routes
        if route.template not in ANYTHING_GOES
        for name in route.queries
        if name not in route.refused(admin, query_string={name: ""})
    ]
    assert taken == []


def test_a_query_parameter_of_another_type_is_refused_by_name(
    routes: list[Route], admin: ApiUser
) -> None:
    taken = [
        f"{route} took {name}={text}"
        for route in routes
        for name, schema in route.queries.items()
        for kind in kinds(schema)
        for text in WRONG_TEXTS.get(kind, ())
        if name not in route.refused(admin, query_string={name: text})
    ]
    assert taken == []


def test_a_query_parameter_that_no_route_knows_is_refused_by_name(
    routes: list[Route], admin: ApiUser
) -> None:
    strict = [
        route
        for route in routes
        if route.template not in ANYTHING_GOES
        and (route.method in CHANGES or route.operation["security"])
    ]
    taken = [
        str(route)
        for route in strict
        if "colour" not in route.refused(admin, query_string={"colour": "red"})
    ]
    assert len(strict) > 80
    assert taken == []


def test_a_query_parameter_that_is_given_twice_is_refused(ada: ApiUser) -> None:
    error = error_of(ada.get("/jobs?limit=1&limit=2"), 422)
    assert error["details"]["field"] == "limit"
    assert ada.get("/jobs?status=failed&status=completed").status_code == 200


def test_what_only_looks_is_asked_with_any_parameter(nobody: ApiUser) -> None:
    assert nobody.get("/health/live?_=1").status_code == 200


def test_every_refusal_of_what_is_sent_is_documented(routes: list[Route]) -> None:
    for route in routes:
        statuses = set(route.operation["responses"])
        if route.operation["security"]:
            assert "422" in statuses, route
        if route.method in CHANGES:
            assert {"400", "413", "415", "422"} <= statuses, route
