"""Spans tell of URLs no more than their hosts."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

from stellwerk.discreet_spans import DiscreetExporter

SECRET = "s3cr3t"  # noqa: S105  made up


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("http.url", f"https://hooks.example:8443/T0/{SECRET}", "https://hooks.example:8443/•••"),
        ("url.full", f"http://hooks.example?token={SECRET}", "http://hooks.example/•••"),
        ("url.full", f"http://ada:{SECRET}@hooks.example/x", "http://hooks.example/•••"),
        ("url.full", "http://hooks.example", "http://hooks.example"),
        ("http.target", f"/api/v1/jobs?token={SECRET}", "/api/v1/jobs"),
        ("url.query", f"token={SECRET}", None),
        ("http.status_code", 204, 204),
        ("stellwerk.job_id", "019f-2", "019f-2"),
    ],
)
def test_an_attribute(name: str, value: str | int, told: str | int | None) -> None:
    exported = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(DiscreetExporter(exported)))
    with provider.get_tracer("tests").start_as_current_span("request", attributes={name: value}):
        pass
    (span,) = exported.get_finished_spans()
    assert (span.attributes or {}).get(name) == told


def test_an_exception_and_what_became_of_a_span() -> None:
    exported = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(DiscreetExporter(exported)))
    failed = f"HTTPConnectionPool(host='a.example'): Max retries exceeded with url: /T0/{SECRET}"
    with provider.get_tracer("tests").start_as_current_span("request") as span:
        span.record_exception(ConnectionError(failed))
        span.set_status(Status(StatusCode.ERROR, f"no answer from 'https://a.example/{SECRET}'"))
    (told,) = exported.get_finished_spans()
    (event,) = told.events
    said = str((event.attributes or {})["exception.message"])
    assert said.endswith("Max retries exceeded with url: •••")
    assert SECRET not in told.to_json()
    assert told.status.description == "no answer from 'https://a.example/•••'"
    assert told.context == span.get_span_context()
