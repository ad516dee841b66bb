"""Alert rules and the dashboard name metrics that there are."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from flask import Flask

from api import signed_up
from stellwerk.bootstrap import Platform
from stellwerk.shipped import shipped
from stellwerk_api import metrics
from stellwerk_api.app import create_app
from stellwerk_api.realtime import metrics as realtime

RULES = "deploy/prometheus/alerts.yml"
DASHBOARD = "deploy/grafana/stellwerk.json"
NAME = re.compile(r"\bstellwerk_\w+")


@pytest.fixture
def application(platform: Platform) -> Flask:
    metrics.people_gauges.cache_clear()  # counted anew, as after a minute
    return create_app(platform)


@pytest.fixture
def exported(platform: Platform, application: Flask) -> set[str]:
    """Names of everything that can be scraped."""
    signed_up(application.test_client())
    shown = metrics.exposition(platform) + realtime.exposition({}, is_connected=True)
    return set(names_of(shown.decode()))


def names_of(exposition: str) -> Iterator[str]:
    for name, kind in re.findall(r"^# TYPE (\S+) (\w+)$", exposition, re.MULTILINE):
        yield name
        if kind == "histogram":
            yield from (f"{name}_{part}" for part in ("bucket", "count", "sum"))


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(shipped(RULES).read_text())["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, Any]]:
    return list(json.loads(shipped(DASHBOARD).read_text())["panels"])


def test_every_alert_is_of_metrics_that_there_are(exported: set[str]) -> None:
    for rule in rules():
        named = set(NAME.findall(rule["expr"]))
        assert named <= exported, rule["alert"]
        assert named or "up{" in rule["expr"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "description"}
        assert re.fullmatch(r"\d+[sm]", rule["for"])


def test_every_panel_shows_metrics_that_there_are(exported: set[str]) -> None:
    for panel in panels():
        for target in panel["targets"]:
            named = set(NAME.findall(target["expr"]))
            assert named, panel["title"]
            assert named <= exported, panel["title"]
    places = [tuple(panel["gridPos"].values()) for panel in panels()]
    assert len(set(places)) == len(places)


def test_every_metric_of_calls_has_a_panel(exported: set[str]) -> None:
    shown = {
        re.sub(r"_(?:total|bucket|count|sum)$", "", name)
        for panel in panels()
        for target in panel["targets"]
        for name in NAME.findall(target["expr"])
    }
    told = {name for name in exported if name.startswith("stellwerk_call")}
    assert {re.sub(r"_(?:total|bucket|count|sum)$", "", name) for name in told} <= shown


def test_the_scrape_configuration_loads_the_rules() -> None:
    said = yaml.safe_load(shipped("deploy/prometheus/prometheus.yml").read_text())
    assert said["rule_files"] == ["alerts.yml"]
    paths = {job["metrics_path"] for job in said["scrape_configs"]}
    assert paths == {"/api/v1/metrics", "/api/v1/metrics/realtime"}


def test_users_are_counted_by_what_they_did(platform: Platform, application: Flask) -> None:
    user = signed_up(application.test_client())
    user.submit()
    shown = metrics.exposition(platform).decode()
    for line in (
        'stellwerk_users_active{tier="free",window="1h"} 1.0',
        'stellwerk_users{active="true",tier="free"} 1.0',
        'stellwerk_jobs_submitted{tier="free"} 1.0',
    ):
        assert line in shown
