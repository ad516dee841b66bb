"""The domains that hold something of people, each by its module `privacy`.

Such a module has `export(session, user_id)`, which gives rows by kind, and `erase(session,
user_id)`, which removes a batch of each kind or makes it anonymous, gives their numbers, and is
called until these are all 0. `KEPT` says of kinds that stay, anonymous, why they do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from types import ModuleType
from typing import Any

from sqlalchemy.orm import Session

from stellwerk.db.base import Base

Held = Mapping[str, Iterable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Domain:
    """One of them."""

    name: str
    export: Callable[[Session, int], Held]
    erase: Callable[[Session, int], Mapping[str, int]]
    kept: Mapping[str, str]


def domain_of(module: ModuleType) -> Domain:
    """What a module `stellwerk.<domain>.privacy` declares."""
    kept = getattr(module, "KEPT", {})
    return Domain(_domain(module.__name__), module.export, module.erase, kept)


def in_order(domains: Iterable[Domain]) -> tuple[Domain, ...]:
    """Each before those whose rows its own refer to, as they have to be erased; accounts last.

    `Base` has to know every table; raises graphlib.CycleError where domains refer to each other.
    """
    named = {domain.name: domain for domain in domains}
    referring: dict[str, set[str]] = {name: set() for name in sorted(named)}
    for name, referred in _references():
        if name in named and referred in named:
            referring[referred].add(name)
    graph = {name: sorted(names) for name, names in referring.items()}  # one order everywhere
    return tuple(named[name] for name in TopologicalSorter(graph).static_order())


def _references() -> Sequence[tuple[str, str]]:
    """Domains, and those that they refer to."""
    owners = {
        mapper.local_table.key: _domain(mapper.class_.__module__)  # type: ignore[attr-defined]  # a Table
        for mapper in Base.registry.mappers
    }
    return [
        (owners[table.key], owners[key.column.table.key])
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if owners[table.key] != owners[key.column.table.key]
    ]


def _domain(module: str) -> str:
    return module.split(".")[1]
