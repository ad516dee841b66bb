"""Traces by OpenTelemetry: from a request through the ledger and the queue to a provider's call.

Off unless `STELLWERK_TRACING_ENDPOINT` (or `OTEL_EXPORTER_OTLP_ENDPOINT`) names a collector; then
spans go there by OTLP over HTTP (opentelemetry.io/docs/specs/otlp). A job keeps the W3C trace
context (w3.org/TR/trace-context) of whoever submitted it, so that its attempts, on any machine and
any time later, belong to the same trace.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from stellwerk.errors import ConfigurationError
from stellwerk.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Attributes = Mapping[str, str | int | float | bool]

_tracer = trace.get_tracer("stellwerk")
_state = {"is_on": False}


def start_tracing(settings: Settings, role: str) -> bool:
    """Send this process's spans to the collector; returns whether there is one.

    `role` is part of the service's name. A process calls it once, after it was forked. Raises
    ConfigurationError where the extra `tracing` is not installed.
    """
    if settings.tracing_endpoint and not _state["is_on"]:
        trace.set_tracer_provider(_provider(settings, role))
        _trace_http_clients()
        _state["is_on"] = True
    return _state["is_on"]


def carrier() -> dict[str, str] | None:
    """The present trace context, to be stored with a job; None outside of any trace."""
    if not _state["is_on"]:
        return None
    held: dict[str, str] = {}
    propagate.inject(held)
    return held or None


@contextmanager
def span(
    name: str, attributes: Attributes | None = None, *, tells_errors: bool = True
) -> Iterator[None]:
    """A part of the present trace; an exception that passes marks it as failed.

    With `tells_errors` its text and its traceback go along.
    """
    if not _state["is_on"]:
        yield
        return
    with _tracer.start_as_current_span(
        name,
        attributes=attributes,
        record_exception=tells_errors,
        set_status_on_exception=tells_errors,
    ) as present:
        try:
            yield
        except Exception as exc:
            if not tells_errors:
                present.set_status(Status(StatusCode.ERROR, type(exc).__name__))
            raise


@contextmanager
def carried_on(
    stored: Mapping[str, str] | None, name: str, attributes: Attributes
) -> Iterator[None]:
    """An attempt of a job, as a part of the trace that the job was submitted in."""
    if not _state["is_on"]:
        yield
        return
    context = propagate.extract(stored or {})
    kind = SpanKind.CONSUMER
    with _tracer.start_as_current_span(name, context, kind=kind, attributes=attributes):
        yield


def came_to(outcome: str, *, is_error: bool) -> None:
    """Note on the present span how an attempt ended."""
    if _state["is_on"]:
        present = trace.get_current_span()
        present.set_attribute("stellwerk.outcome", outcome)
        if is_error:
            present.set_status(Status(StatusCode.ERROR, outcome))


def _provider(settings: Settings, role: str) -> "TracerProvider":
    try:  # heavy, and needed by few
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  see above
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  see above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  see above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  see above
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415  see above

        from stellwerk.discreet_spans import DiscreetExporter  # noqa: PLC0415  needs them too
    except ImportError as exc:
        message = "Tracing needs more packages: pip install 'stellwerk[tracing]'."
        raise ConfigurationError(message) from exc
    resource = {"service.name": f"stellwerk-{role}", "service.version": version("stellwerk")}
    provider = TracerProvider(
        resource=Resource.create(resource),
        sampler=ParentBasedTraceIdRatio(settings.tracing_ratio),
    )
    url = f"{settings.tracing_endpoint.rstrip('/')}/v1/traces"
    exporter = DiscreetExporter(OTLPSpanExporter(endpoint=url))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _trace_http_clients() -> None:
    """Calls to providers become spans, and carry the context in `traceparent`."""
    from opentelemetry.instrumentation.httpx import (  # noqa: PLC0415  only where it is on
        HTTPXClientInstrumentor,
    )
    from opentelemetry.instrumentation.requests import (  # noqa: PLC0415  only where it is on
        RequestsInstrumentor,
    )

    RequestsInstrumentor().instrument()
    HTTPXClientInstrumentor().instrument()
