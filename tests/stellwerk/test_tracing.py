"""One trace from a request through the queue to the call of somebody else's server."""

from pathlib import Path

import pytest

from collector import spans
from embedded import wait_until
from full_stack import client_of, full_stack
from receiver import receiving
from stellwerk.tracing import carrier

pytestmark = [pytest.mark.xdist_group("tracing"), pytest.mark.timeout(180)]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
JOB = "stellwerk-worker: diagnostics.echo"
EXPECTED = {
    "stellwerk-web: POST /api/v1/jobs",
    JOB,
    "stellwerk-worker: webhooks.deliver",
    "stellwerk-worker: POST",
}


def test_without_a_collector_nothing_is_carried() -> None:
    assert carrier() is None


def test_a_trace_leads_from_the_request_over_the_job_to_the_webhooks_receiver(
    tmp_path: Path,
) -> None:
    with (
        receiving([200]) as collector,
        receiving() as hook,
        full_stack(
            tmp_path,
            tracing_endpoint=collector.url,
            outbound_allowed_networks='["127.0.0.0/8"]',
        ) as run,
    ):
        client = client_of(run)
        client.request("POST", "/webhook-endpoints/callback-secret").raise_for_status()
        body = {"operation": "diagnostics.echo", "payload": {}, "callback_url": hook.url}
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        job_id = client.expect(202, "POST", "/jobs", json=body, headers=headers)["job_id"]
        wait_until(lambda: set(spans(collector, TRACE)) >= EXPECTED, timeout_s=40)
    found = spans(collector, TRACE)
    request, job = found["stellwerk-web: POST /api/v1/jobs"], found[JOB]
    assert (request.parent_id, job.parent_id) == (CALLER, request.span_id)
    assert job.attributes["stellwerk.job_id"] == job_id
    assert job.attributes["stellwerk.outcome"] == "completed"
    delivery, call = found["stellwerk-worker: webhooks.deliver"], found["stellwerk-worker: POST"]
    assert (delivery.parent_id, call.parent_id) == (job.span_id, delivery.span_id)
    assert hook.requests[0].headers["traceparent"] == f"00-{TRACE}-{call.span_id}-01"
