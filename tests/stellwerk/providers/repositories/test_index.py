"""An index is read whole or refused, saying which entry and which field."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.errors import ErrorCode, ProviderRejected
from stellwerk.providers.repositories.index import dumped, loaded, parsed, written
from stellwerk.providers.repositories.protocol import Entry
from stellwerk.providers.services.protocol import HealthCheck

GOOD = {
    "name": "clock",
    "version": "1.0.0",
    "category": "tests",
    "description": "",
    "file": "clock-1.0.0.tar.gz",
    "sha256": "a" * 64,
    "size": 100,
    "command": ["true"],
}
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
seconds = st.floats(0.1, 3600)
entries = st.builds(
    Entry,
    name=st.from_regex(r"m[a-zA-Z0-9_-]{0,39}", fullmatch=True).filter(
        lambda name: name != "modules"
    ),
    version=st.sampled_from(["1.0", "1.0.0-alpha.beta", "2!1.0.post1"]),
    category=texts,
    description=st.just("") | texts,
    file=st.just("m-1.tar.gz"),
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    size_bytes=st.integers(1, 2**40),
    command=st.lists(texts, min_size=1, max_size=3).map(tuple),
    image=st.sampled_from(["", "registry.example.com:5000/m@sha256:0"]),
    health=st.builds(
        HealthCheck,
        path=st.sampled_from(["/", "/health?deep=1"]),
        command=st.lists(texts, max_size=3).map(tuple),
        interval_s=seconds,
        timeout_s=seconds,
        retries=st.integers(1, 100),
        start_period_s=seconds,
    ),
    dependencies=st.lists(st.sampled_from(["clock", "echo>=1.0,<2"]), max_size=2).map(tuple),
    environment=st.dictionaries(st.sampled_from(["A", "_b2"]), st.just("") | texts),
    memory_mb=st.none() | st.integers(1, 4096),
    cpus=st.none() | st.floats(0.1, 64),
    processes=st.none() | st.integers(1, 4096),
    signature=st.none() | st.just("c2lnbmVk"),
)


@given(entries)
def test_what_is_written_is_read_back(entry: Entry) -> None:
    assert loaded(json.loads(json.dumps(entry.to_json()))) == entry
    assert parsed(written([entry])).entries == (entry,)


def test_an_index_is_written_by_name_and_age_whatever_the_order_was() -> None:
    found = [loaded({**GOOD, "version": version}) for version in ("1.10.0", "1.9.0", "1.9.0-rc.1")]
    found.append(loaded({**GOOD, "name": "bell"}))
    assert written(found) == written(found[::-1])
    versions = [entry.version for entry in parsed(written(found)).entries]
    assert versions == ["1.0.0", "1.9.0-rc.1", "1.9.0", "1.10.0"]


def test_what_is_unknown_is_ignored_and_ports_are_for_people() -> None:
    more = {**GOOD, "colour": "blue", "ports": [8080], "healthcheck": {"path": "/up", "loud": True}}
    entry = loaded(more)
    assert (entry.health.path, "ports" in dumped(entry)) == ("/up", False)


@pytest.mark.parametrize(
    ("content", "reason", "told"),
    [
        (b"<html>", "not_json", "is not JSON"),
        (b"\xff\xfe", "not_json", "is not JSON"),
        (b"[" * 100_000, "not_json", "is not JSON"),
        (b"[]", "not_an_index", "holds no list"),
        (b'{"format": 2, "modules": []}', "format", "another format than 1"),
        (b'{"format": 1, "modules": [], "published_at": 1}', "published_at", "no time with a zone"),
        (
            b'{"format": 1, "modules": [], "published_at": "2030-01-31T08:00:00"}',
            "published_at",
            "no time with a zone",
        ),
        (b'{"format": 1, "modules": [1]}', "entry", r"modules\[0\] of index.json: Invalid"),
    ],
)
def test_what_is_no_index_is_refused(content: bytes, reason: str, told: str) -> None:
    with pytest.raises(ProviderRejected, match=told) as raised:
        parsed(content)
    assert raised.value.code is ErrorCode.REPOSITORY_DAMAGED
    assert raised.value.details == {"reason": reason}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "../evil"}, "name"),
        ({"name": "api"}, "name"),
        ({"version": "new"}, "version"),
        ({"file": "../clock.tar.gz"}, "file"),
        ({"file": "clock.zip"}, "file"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"size": "100"}, "size"),
        ({"size": 0}, "size"),
        ({"command": []}, "command"),
        ({"command": ["a\0b"]}, "command.0"),
        ({"healthcheck": {"path": "health"}}, "healthcheck.path"),
        ({"healthcheck": {"interval_s": 0}}, "healthcheck.interval_s"),
        ({"dependencies": ["clock", "../x"]}, "dependencies.1"),
        ({"environment": {"A=B": ""}}, "environment"),
        ({"environment": {"A": 1}}, "environment.A.value"),
        ({"limits": {"cpus": 0}}, "limits.cpus"),
        ({"limits": {"memory_mb": -1}}, "limits.memory_mb"),
        ({"ports": [70_000]}, "ports.0"),
        ({"description": "\ud800"}, "description"),
    ],
)
def test_the_entry_and_the_field_that_break_a_rule_are_named(
    change: dict[str, Any], field: str
) -> None:
    with pytest.raises(ProviderRejected) as raised:
        loaded({**GOOD, **change})
    assert f"of index.json: {field}: " in raised.value.message


def test_a_version_is_in_an_index_once() -> None:
    content = json.dumps({"format": 1, "modules": [GOOD, GOOD]}).encode()
    with pytest.raises(ProviderRejected, match=r"names clock 1\.0\.0 2 times"):
        parsed(content)
