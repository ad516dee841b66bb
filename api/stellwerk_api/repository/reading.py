"""Repositories and what they offer, as callers see it."""

from collections.abc import Mapping
from typing import Any

from stellwerk.jobs.runtime import Runtime
from stellwerk.modules import indices, offering
from stellwerk.modules.offering import OfferFilter
from stellwerk_api.context import platform
from stellwerk_api.pagination import decode_cursor, page


def repositories() -> dict[str, Any]:
    """All of them."""
    return {"items": offering.repositories(_with_samples())}


def repository(repository_id: int) -> dict[str, Any]:
    """One of them; raises NotFound."""
    return offering.repositories(platform().runtime, repository_id)[0]


def offered(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of modules; raises NotFound for an unknown repository."""
    wanted = OfferFilter(
        repository_id=query.get("repository_id"),
        category=query.get("category"),
        text=query.get("q"),
        is_installed=query.get("installed"),
        after=decode_cursor(query["cursor"]) if query["cursor"] else None,
    )
    found = offering.offered(_with_samples(), wanted, query["limit"] + 1)
    shown = page(found, query["limit"], "place")
    items = [{name: one[name] for name in one if name != "place"} for one in shown["items"]]
    return shown | {"items": items}


def _with_samples() -> Runtime:
    """A platform that was just installed has something to show."""
    runtime = platform().runtime
    indices.read_samples(runtime)
    return runtime
