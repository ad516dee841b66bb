"""A gauge of modules' instances, from the ledger: the same in every process that a scrape sees."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.modules.standing import numbers
from stellwerk.modules.states import InstanceStatus


class ModuleGauges(Collector):
    """What Postgres says of instances; nothing while it does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing, so that registering asks no database."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read them."""
        try:
            with self._engine.connect() as connection:
                present = numbers(connection)
        except SQLAlchemyError:
            return
        about = "Instances of modules, by what they were when they were last looked at."
        gauge = GaugeMetricFamily("stellwerk_module_instances", about, labels=["status"])
        for status in InstanceStatus:
            gauge.add_metric([status.value], present.get(status.value, 0))
        yield gauge
