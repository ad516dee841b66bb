"""Alert rules and panels hold queries that Prometheus can read, of the types it asks for."""

import json

import promql_parser
import pytest
import yaml

from stellwerk.shipped import shipped

ALERTS = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load(shipped("deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
PANELS = {
    f"{panel['title']} {number}": target["expr"]
    for panel in json.loads(shipped("deploy/grafana/stellwerk.json").read_text())["panels"]
    for number, target in enumerate(panel["targets"])
}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_on_a_comparison(name: str) -> None:
    assert isinstance(promql_parser.parse(ALERTS[name]), promql_parser.BinaryExpr)


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_shows_a_query(name: str) -> None:
    assert isinstance(promql_parser.parse(PANELS[name]), promql_parser.Expr)


@pytest.mark.parametrize("wrong", ["rate(stellwerk_jobs)", "sum by (le) (up", "up == "])
def test_what_prometheus_would_not_load_is_found(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        promql_parser.parse(wrong)
