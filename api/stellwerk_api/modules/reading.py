"""Modules, instances and operations as callers may see them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from stellwerk.modules import queries, service
from stellwerk.modules.configuring import variables
from stellwerk.modules.operating import module_of, operation_form
from stellwerk.modules.operations import MANAGE
from stellwerk.modules.orphans import orphans
from stellwerk.modules.queries import InstanceFilter
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.jobs.reading import document, seen
from stellwerk_api.pagination import decode_cursor, page

_FOR_OPERATORS = {"last_log": "", "environment": []}  # what others see in their place


def operation(job_id: UUID, status_url: str) -> dict[str, Any]:
    """An operation, if the caller may see its job; raises NotFound, Gone."""
    job = document(seen(job_id))
    with platform().runtime.sessions() as session:
        module_name = module_of(session, job_id)
    return operation_form(job, module_name) | {"status_url": status_url}


def modules(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of what is installed."""
    limit = query["limit"]
    after = decode_cursor(query["cursor"]) if query["cursor"] else None
    return page(queries.modules(platform().runtime, after=after, limit=limit + 1), limit, "name")


def instances(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of instances, the oldest first."""
    wanted = InstanceFilter(
        module_name=query.get("module_name"),
        status=query.get("status"),
        after=decode_cursor(query["cursor"]) if query["cursor"] else None,
        limit=query["limit"] + 1,
    )
    found = queries.instances(platform().runtime, wanted)
    return page(found, query["limit"], "instance_id")


def instance(names: Mapping[str, str]) -> dict[str, Any]:
    """One of them; raises NotFound."""
    return _shown(queries.instance(platform().runtime, **names))


def primary(names: Mapping[str, str]) -> dict[str, Any]:
    """The one that a module is reached by; raises NotFound."""
    return _shown(queries.primary(platform().runtime, **names))


def environment(names: Mapping[str, str]) -> dict[str, Any]:
    """Its variables; raises NotFound."""
    return variables(platform().runtime, **names)


def logs(names: Mapping[str, str], query: Mapping[str, Any]) -> dict[str, Any]:
    """What its service wrote; raises NotFound, ProviderUnavailable."""
    runtime = platform().runtime
    with runtime.sessions() as session:
        name = service.instance(session, **names).service
    found = runtime.providers.services.logs(name, tail=query["tail"], cursor=query["cursor"] or "")
    return {"lines": list(found.lines), "cursor": found.cursor or None}


def unclaimed() -> dict[str, Any]:
    """What belongs to nobody; raises ProviderUnavailable."""
    return {"items": [asdict(one) for one in orphans(platform().runtime)]}


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    return found if caller().may(MANAGE) else found | _FOR_OPERATORS
