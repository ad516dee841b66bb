"""Jobs for tests of the HTTP side, asked for as a client asks for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from full_stack import Client
from stellwerk.cli.sse import ServerEvent, parse_events

EVENT_STREAM = "text/event-stream"


def submit_for_later(client: Client) -> str:
    """A job that nobody runs for an hour; it ends when it is cancelled."""
    run_at = datetime.now(UTC) + timedelta(hours=1)
    body = {"operation": "diagnostics.echo", "payload": {}, "run_at": run_at.isoformat()}
    return str(client.expect(202, "POST", "/jobs", json=body)["job_id"])


def cancel(client: Client, job_id: str) -> None:
    """End it."""
    answer = client.request("POST", f"/jobs/{job_id}/cancel")
    assert answer.ok, answer.text


@contextmanager
def events(
    client: Client, job_id: str, *, last_id: str = "", timeout_s: float = 60
) -> Iterator[tuple[requests.Response, Iterator[ServerEvent]]]:
    """An open stream: its answer and its events."""
    with opened(client, f"/jobs/{job_id}/events", last_id=last_id, timeout_s=timeout_s) as found:
        yield found


@contextmanager
def opened(
    client: Client, path: str, *, last_id: str = "", timeout_s: float = 60
) -> Iterator[tuple[requests.Response, Iterator[ServerEvent]]]:
    """The same, of any address below /api/v1."""
    headers: dict[str, Any] = {"Accept": EVENT_STREAM}
    if last_id:
        headers["Last-Event-ID"] = last_id
    path = f"{client.url}/api/v1{path}"
    with client.session.get(path, headers=headers, stream=True, timeout=timeout_s) as answer:
        yield answer, parse_events(answer.iter_lines(chunk_size=None, decode_unicode=True))


def kinds(found: list[ServerEvent]) -> list[str]:
    """The events' types."""
    return [event.type for event in found]
