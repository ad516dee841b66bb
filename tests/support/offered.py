"""Repositories of modules as rows, with an index that nobody had to read."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import func

from stellwerk.bootstrap import Platform
from stellwerk.modules import indices
from stellwerk.modules.model import ModuleRepository


def entry(
    name: str, version: str = "1.0.0", *, needs: Sequence[str] = (), by: str = ""
) -> dict[str, Any]:
    """An entry of an index; other people's (`by`) have other contents."""
    return {
        "name": name,
        "version": version,
        "category": "tools",
        "description": f"The module {name}",
        "file": f"{name}-{version}.tar.gz",
        "sha256": sha256(f"{name} {version} {by}".encode()).hexdigest(),
        "size": 100,
        "command": ["python3", "server.py"],
        "dependencies": list(needs),
    }


def offer(platform: Platform, name: str, *entries: Mapping[str, Any]) -> int:
    """Add a repository with these entries; returns its id."""
    row = ModuleRepository(
        name=name,
        kind="file",
        location=f"/repositories/{name}",
        synced_at=func.now(),
        tried_at=func.now(),
    )
    with platform.runtime.sessions.begin() as session:
        session.add(row)
        session.flush()
        indices.replace(session, row.id, entries)
        return row.id
