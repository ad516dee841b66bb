"""What a collector of spans gets: OTLP over HTTP, read by opentelemetry-proto's own messages."""

import gzip
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from receiver import Received, Receiver


@dataclass(frozen=True, slots=True)
class Span:
    """What a test asks of a span; ids are hexadecimal."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str]


def spans(receiver: Receiver, trace_id: str) -> dict[str, Span]:
    """The spans of a trace that came so far, by service and name."""
    found = [span for request in list(receiver.requests) for span in _spans(request)]
    return {f"{span.service}: {span.name}": span for span in found if span.trace_id == trace_id}


def content(request: Received) -> bytes:
    """What was sent, as it was before it was compressed."""
    is_zipped = request.headers.get("content-encoding") == "gzip"
    return gzip.decompress(request.body) if is_zipped else request.body


def _spans(request: Received) -> list[Span]:
    return [
        Span(
            next(a.value.string_value for a in of.resource.attributes if a.key == "service.name"),
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            {one.key: one.value.string_value for one in span.attributes},
        )
        for of in ExportTraceServiceRequest.FromString(content(request)).resource_spans
        for scope in of.scope_spans
        for span in scope.spans
    ]
