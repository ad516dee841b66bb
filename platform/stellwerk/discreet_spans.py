"""Spans without what URLs hold: of somebody else's, the path and the query may be secrets.

Instrumentation names requests by their whole URL, and exceptions repeat it.
"""

import re
from collections.abc import Mapping, Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from opentelemetry.util.types import AttributeValue

HIDDEN = "•••"
OF_URLS = frozenset({"http.target", "url.path"})  # without a host: ours, and their query is hidden
DROPPED = frozenset({"url.query"})

_URL = re.compile(r"""(\b\w+://)(?:[^/\s'"@]*@)?([^/\s'"?#]+)[/?#][^\s'"<>]*""")
_URL_OF_URLLIB3 = re.compile(r"(\burl: )\S+")


class DiscreetExporter(SpanExporter):
    """Hands spans on to another exporter, with hosts alone of the URLs in them."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them."""
        return self._exporter.export([discreet(span) for span in spans])

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what it has."""
        return self._exporter.force_flush(timeout_millis)


def discreet(span: ReadableSpan) -> ReadableSpan:
    """The same span, telling less."""
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_attributes(span.attributes),
        events=[Event(one.name, _attributes(one.attributes), one.timestamp) for one in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(
            span.status.status_code, span.status.description and _text(span.status.description)
        ),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _attributes(given: Mapping[str, AttributeValue] | None) -> dict[str, AttributeValue]:
    return {
        name: _value(name, value) for name, value in (given or {}).items() if name not in DROPPED
    }


def _value(name: str, value: AttributeValue) -> AttributeValue:
    if not isinstance(value, str):
        return value
    return value.partition("?")[0] if name in OF_URLS else _text(value)


def _text(text: str) -> str:
    text = _URL.sub(rf"\1\2/{HIDDEN}", text)
    return _URL_OF_URLLIB3.sub(rf"\1{HIDDEN}", text)
