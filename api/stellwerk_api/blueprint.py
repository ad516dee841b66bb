"""flask-smorest's Blueprint, typed, with our parser and with each operation's errors documented."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import RAISE, Schema

from stellwerk_api.auth import Access
from stellwerk_api.bodies import RequestParser
from stellwerk_api.documentation.parameters import (
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    PREFER,
    Parameter,
)

View = TypeVar("View", bound=Callable[..., Any])


class Decorator(Protocol):
    """Changes how a view runs or what is documented of it, not its type."""

    def __call__(self, view: View, /) -> View:
        """The view to use instead."""


ANY_TIME = (500, 503)
WITH_LOGIN = (401, 403, 422, 429)
WITH_BODY = (400, 413, 415, 422)
WITH_KEY = (400, 409, 422)


class Blueprint(SmorestBlueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """Routes of one noun.

    A view's decorators are: `get`/`post`/..., `requires` (auth.py), `body` or `query`, `answers`,
    `reads`, `once` and `waits` for headers, and `raises` for the refusals that are its own.
    """

    ARGUMENTS_PARSER = RequestParser()

    def __init__(self, name: str, *, url_prefix: str, description: str = "") -> None:
        super().__init__(name, __name__, url_prefix=url_prefix, description=description)
        self._prepare_doc_cbks.append(_document_access)

    def get(self, rule: str, **options: Any) -> Decorator:
        """A route for GET and HEAD."""
        return self._at(rule, "GET", options)

    def post(self, rule: str, **options: Any) -> Decorator:
        """A route for POST."""
        return self._at(rule, "POST", options)

    def patch(self, rule: str, **options: Any) -> Decorator:
        """A route for PATCH."""
        return self._at(rule, "PATCH", options)

    def put(self, rule: str, **options: Any) -> Decorator:
        """A route for PUT."""
        return self._at(rule, "PUT", options)

    def delete(self, rule: str, **options: Any) -> Decorator:
        """A route for DELETE."""
        return self._at(rule, "DELETE", options)

    def body(self, schema: type[Schema], *, example: Any = None) -> Decorator:
        """The view gets the checked JSON body as its first argument, a dict."""
        parsed: Decorator = self.arguments(schema(), example=example)
        return parsed

    def takes(self, examples: Mapping[str, Any]) -> Decorator:
        """The view reads the bytes of the body, and of the query, which others sign, by itself.

        `examples` are of bodies, by their content types.
        """

        def declare(view: View) -> View:
            apidoc = view.__dict__.setdefault("_apidoc", {})
            apidoc["takes"] = tuple(examples)
            content = {
                content_type: {"schema": {"type": "object"}, "example": example}
                for content_type, example in examples.items()
            }
            apidoc["manual_doc"] = {"requestBody": {"required": True, "content": content}}
            return view

        return declare

    def query(self, schema: type[Schema], *, others: str = RAISE) -> Decorator:
        """The view gets the checked query parameters as its first argument, a dict.

        Others than the schema's are refused: a mistyped filter would select everything. (EXCLUDE
        is for what is not ours to choose.)
        """
        parsed: Decorator = self.arguments(schema(), location="query", unknown=others)
        return parsed

    def answers(
        self,
        status: int,
        schema: Schema | type[Schema] | Mapping[str, str] | None = None,
        *,
        description: str | None = None,
        content_type: str | None = None,
        headers: Sequence[str] = (),
        example: Any = None,
    ) -> Decorator:
        """What success looks like; what the view returns is dumped, unless it is a Response."""
        documented = {name: {"schema": {"type": "string"}} for name in headers}
        wrapped: Decorator = self.response(
            status,
            schema,
            description=description,
            content_type=content_type,
            headers=documented or None,
            example=example,
        )
        return wrapped

    def also(self, status: int, description: str, headers: Sequence[str] = ()) -> Decorator:
        """Document another answer without a body, such as 304."""
        documented = {name: {"schema": {"type": "string"}} for name in headers}
        doc: Decorator = self.doc(
            responses={str(status): {"description": description, "headers": documented}}
        )
        return doc

    def or_answers(self, status: int, schema: type[Schema], description: str) -> Decorator:
        """Document another kind of success."""
        other: Decorator = self.alt_response(status, schema=schema, description=description)
        return other

    def reads(self, *headers: Parameter) -> Decorator:
        """Document request headers that change the answer."""

        def declare(view: View) -> View:
            view.__dict__.setdefault("_apidoc", {}).setdefault("headers", []).extend(headers)
            return view

        return declare

    def waits(self, job: type[Schema]) -> Decorator:
        """Document that `Prefer: wait` holds a submission's answer back until the job has ended.

        `job`: what is answered then, with 200.
        """
        described = "The job, which ended within the wait that `Prefer` asked for."
        ended: Decorator = self.alt_response(
            200,
            schema=job,
            description=described,
            headers={
                name: {"schema": {"type": "string"}}
                for name in ("Preference-Applied", "Idempotency-Replayed")
            },
        )
        reads = self.reads(PREFER)
        return lambda view: ended(reads(view))

    def once(self) -> Decorator:
        """Document that the request may carry an `Idempotency-Key`, and how that is refused."""
        return self.reads(IDEMPOTENCY_KEY)

    def deprecated(self) -> Decorator:
        """Mark a route that is to go; when, `aliases.py` says."""
        doc: Decorator = self.doc(deprecated=True)
        return doc

    def raises(self, *statuses: int) -> Decorator:
        """Document refusals of this route, beside those that its decorators imply."""

        def declare(view: View) -> View:
            view.__dict__.setdefault("_apidoc", {})["raises"] = statuses
            return view

        return declare

    def _at(self, rule: str, method: str, options: Mapping[str, Any]) -> Decorator:
        routed: Decorator = self.route(rule, methods=[method], **options)
        return routed

    def _store_endpoint_docs(
        self, endpoint: str, obj: Any, parameters: Any, tags: Any, **options: Any
    ) -> None:
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)
        for method, doc in self._docs[endpoint].items():
            if method != "parameters":
                doc.setdefault("manual_doc", {})["operationId"] = f"{self.name}_{endpoint}"


def _document_access(
    doc: dict[str, Any], doc_info: dict[str, Any], *, method: str, **_: Any
) -> dict[str, Any]:
    access: Access | None = doc_info.get("access")
    statuses = {*ANY_TIME, *doc_info.get("raises", ())}
    doc["security"] = [{"bearer": []}, {"api_key": []}, {"browser": []}] if access else []
    if access:
        statuses |= set(WITH_LOGIN)
        doc["x-permission"] = access.permission
    if "tried" in doc_info:
        statuses.add(429)
    if method not in {"get", "head"}:
        statuses |= set(WITH_BODY)
    if IDEMPOTENCY_KEY in doc_info.get("headers", ()):
        statuses |= set(WITH_KEY)
    if "cacheable" in doc_info:
        _document_validators(doc)
    if "headers" in doc_info:
        doc["parameters"] = [*doc.get("parameters", ()), *doc_info["headers"]]
    responses = doc.setdefault("responses", {})
    for status in sorted(statuses):
        responses.setdefault(str(status), HTTPStatus(status).name)
    return doc


def _document_validators(doc: dict[str, Any]) -> None:
    tag = {"ETag": {"schema": {"type": "string"}}}
    doc["parameters"] = [*doc.get("parameters", ()), IF_NONE_MATCH]
    for status, response in doc["responses"].items():
        if str(status) == "200":  # flask-smorest has it as a number
            response["headers"] = tag
    doc["responses"]["304"] = {"description": "What the client has is still right.", "headers": tag}
