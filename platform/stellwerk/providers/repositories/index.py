"""index.json: `{"format": 1, "modules": [entry, ...]}`, and its entries.

One that is signed says with `published_at` (RFC 3339) when that was, so that a signature is worth
nothing on an index that was replaced: an older one is refused where a newer one was read.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from marshmallow import ValidationError

from stellwerk.providers.repositories.protocol import Entry, Index
from stellwerk.providers.repositories.refusals import repository_damaged, shown
from stellwerk.providers.repositories.schemas import EntrySchema
from stellwerk.providers.repositories.versions import ordered
from stellwerk.providers.services.protocol import HealthCheck

FORMAT = 1
INDEX = "index.json"
INDEX_SIGNATURE = "index.json.sig"
ENTRIES_AT_MOST = 20_000

_schema = cache(EntrySchema)


def parsed(content: bytes, etag: str | None = None) -> Index:
    """The entries in their order; raises ProviderRejected (REPOSITORY_DAMAGED) saying where."""
    document = _document(content)
    entries = tuple(_entry(value, place) for place, value in enumerate(document["modules"]))
    named = Counter((entry.name, entry.version) for entry in entries)
    for (name, version), count in named.items():
        if count > 1:
            raise repository_damaged("twice", f"index.json names {name} {version} {count} times")
    return Index(entries, etag, _published_at(document))


def written(entries: Iterable[Entry], published_at: datetime | None = None) -> bytes:
    """The file: by name, the oldest version first, the same bytes for the same entries."""
    by_age = sorted(entries, key=lambda entry: (entry.name, ordered(entry.version), entry.version))
    told = published_at.isoformat() if published_at else None
    modules = [dumped(entry) for entry in by_age]
    document = {"format": FORMAT, **_said(published_at=told), "modules": modules}
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def loaded(value: Mapping[str, Any]) -> Entry:
    """What `dumped` made of it; raises ProviderRejected (REPOSITORY_DAMAGED)."""
    return _entry(value, 0)


def dumped(entry: Entry) -> dict[str, Any]:
    """As an index has it; what is empty or unsaid is left out."""
    health = entry.health
    told = {
        "name": entry.name,
        "version": entry.version,
        "category": entry.category,
        "description": entry.description,
        "file": entry.file,
        "sha256": entry.sha256,
        "size": entry.size_bytes,
        "command": list(entry.command),
        "image": entry.image,
        "healthcheck": _said(
            path=health.path,
            command=list(health.command),
            interval_s=health.interval_s,
            timeout_s=health.timeout_s,
            retries=health.retries,
            start_period_s=health.start_period_s,
        ),
        "dependencies": list(entry.dependencies),
        "environment": dict(entry.environment),
        "limits": _said(memory_mb=entry.memory_mb, cpus=entry.cpus, processes=entry.processes),
        "signature": entry.signature,
    }
    required = {"description": entry.description}
    return _said(**told) | required


def entry_of(fields: Mapping[str, Any]) -> Entry:
    """What a schema loaded, and an archive's file, sha256 and size."""
    return Entry(
        name=fields["name"],
        version=fields["version"],
        category=fields["category"],
        description=fields["description"],
        file=fields["file"],
        sha256=fields["sha256"],
        size_bytes=fields["size"],
        command=tuple(fields["command"]),
        image=fields["image"],
        health=_health(fields["healthcheck"]),
        dependencies=tuple(fields["dependencies"]),
        environment=dict(fields["environment"]),
        signature=fields.get("signature"),
        **fields["limits"],
    )


def reasons(exc: ValidationError) -> Iterator[str]:
    """Each as `field.member: what is wrong with it`."""
    yield from _told(exc.messages, "")


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as exc:
        raise repository_damaged("not_json", f"index.json is not JSON ({exc})") from exc
    if not isinstance(document, dict) or not isinstance(document.get("modules"), list):
        raise repository_damaged("not_an_index", "index.json holds no list `modules`")
    if document.get("format") != FORMAT:
        told = f"index.json has another format than {FORMAT}, which this release reads"
        raise repository_damaged("format", told)
    count = len(document["modules"])
    if count > ENTRIES_AT_MOST:
        told = f"index.json names {count} versions, more than {ENTRIES_AT_MOST}"
        raise repository_damaged("too_many_entries", told)
    return document


def _published_at(document: Mapping[str, Any]) -> datetime | None:
    told = document.get("published_at")
    if told is None:
        return None
    try:
        at = datetime.fromisoformat(told)
    except (TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None:
        message = "published_at of index.json is no time with a zone, such as 2030-01-31T08:00:00Z"
        raise repository_damaged("published_at", message)
    return at


def _entry(value: Any, place: int) -> Entry:
    try:
        return entry_of(_schema().load(value))
    except ValidationError as exc:
        named = f"modules[{place}]"
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            named += f" ({shown(value['name'])} {shown(str(value.get('version')))})"
        told = "; ".join(reasons(exc))[:500]
        raise repository_damaged("entry", f"{named} of index.json: {told.rstrip('.')}") from exc


def _health(fields: Mapping[str, Any]) -> HealthCheck:
    return HealthCheck(**{**fields, "command": tuple(fields["command"])})


def _said(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}


def _told(messages: Any, field: str) -> Iterator[str]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            is_whole = name == "_schema"
            yield from _told(inner, field if is_whole else f"{field}.{name}".lstrip("."))
    else:
        yield from (f"{field}: {text}".removeprefix(": ") for text in messages)
