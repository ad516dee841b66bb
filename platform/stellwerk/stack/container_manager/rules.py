"""Which requests are let through, and what of the answers is handed out."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

from stellwerk.providers.services.swarm import labels
from stellwerk.stack.container_manager.refusal import Refused
from stellwerk.stack.container_manager.services import Rules, network_shape, service_shape
from stellwerk.stack.container_manager.shapes import Shape, read, require

# Older versions of the API mean other things by the same words.
VERSIONED = re.compile(r"(?P<version>/v1\.(4[1-9]|[5-9]\d))?(?P<path>/[A-Za-z0-9_/-]*)")
LOGS = frozenset({"stdout", "stderr", "timestamps", "since", "tail"})
LISTED = frozenset({"filters", "status"})
NONE: frozenset[str] = frozenset()

Keep = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Passed:
    """A request as Docker gets it; of a list that it answers, `keep` says what is handed out."""

    method: str
    target: str
    body: bytes | None = None
    keep: Keep | None = None


def passed(rules: Rules, method: str, target: str, body: bytes) -> Passed:
    """The request as it is let through; raises Refused."""
    path, _, query = target.partition("?")
    found = VERSIONED.fullmatch(path)
    if not found:
        raise Refused("This address is not allowed.")
    if found["path"] == "/version" and method == "GET" and not query:
        return Passed(method, path)
    if not found["version"]:
        raise Refused("The address names no version of Docker's API of at least 1.41.")
    segments = found["path"].split("/")[1:]
    if segments[0] == "services":
        return _services(rules, method, _Address(path, segments[1:], query), body)
    return _others(rules, method, _Address(path, segments, query), body)


@dataclass(frozen=True, slots=True)
class _Address:
    path: str
    segments: list[str]
    query: str

    def target(self, known: frozenset[str]) -> str:
        """Path and query, of which only these names are allowed, each once."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        names = [name for name, _ in pairs]
        if not known >= set(names) or len(set(names)) != len(names):
            raise Refused("The address has a parameter that is not allowed.")
        return f"{self.path}?{urlencode(pairs)}" if pairs else self.path


def _services(rules: Rules, method: str, address: _Address, body: bytes) -> Passed:
    match method, *address.segments:
        case "GET", *none if not none:
            return Passed(method, address.target(LISTED), keep=_is_own_service(rules))
        case "POST", "create":
            return Passed(method, address.target(NONE), _service(rules, body))
        case "GET", name if rules.is_own_name(name):
            return Passed(method, address.target(frozenset({"insertDefaults"})))
        case "DELETE", name if rules.is_own_name(name):
            return Passed(method, address.target(NONE))
        case "GET", name, "logs" if rules.is_own_name(name):
            return Passed(method, address.target(LOGS))
        case "POST", name, "update" if rules.is_own_name(name):
            whole = _service(rules, body, name)
            return Passed(method, address.target(frozenset({"version"})), whole)
    raise Refused(f"Of services, this is not allowed, or is not one of {rules.stack}.")


def _others(rules: Rules, method: str, address: _Address, body: bytes) -> Passed:
    match method, *address.segments:
        case "GET", "tasks":
            return Passed(method, address.target(LISTED), keep=_is_own_task(rules))
        case "GET", "networks", name if name == rules.network:
            return Passed(method, address.target(NONE))
        case "POST", "networks", "create":
            return Passed(method, address.target(NONE), _checked(read(body), network_shape(rules)))
    raise Refused("This is not allowed.")


def handed_out(answer: bytes, keep: Keep) -> bytes:
    """The part of a list that is the stack's: the rest may hold others' secrets."""
    try:
        return json.dumps([item for item in json.loads(answer) if keep(item)]).encode()
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise Refused("Docker answered what is no list.", HTTPStatus.BAD_GATEWAY) from exc


def _service(rules: Rules, body: bytes, name: str = "") -> bytes:
    found = read(body)
    return _checked(found, service_shape(rules, found.get("Labels"), name))


def _checked(found: dict[str, Any], shape: Shape) -> bytes:
    require(found, shape, "body")
    return json.dumps(found).encode()


def _is_own_service(rules: Rules) -> Keep:
    return lambda found: rules.is_own_name(found["Spec"]["Name"])


def _is_own_task(rules: Rules) -> Keep:
    return lambda found: _written(found).get(labels.STACK) == rules.stack


def _written(task: Mapping[str, Any]) -> Mapping[str, Any]:
    container = task["Spec"].get("ContainerSpec") or {}
    return container.get("Labels") or {}
