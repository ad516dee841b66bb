"""One trace from a request through the queue to the call of somebody else's server.

In the stack of its neighbours: a whole one takes 30 seconds of a processor to start.
"""

import pytest

from collector import content, spans
from embedded import wait_until
from full_stack import Client
from planted import Scene
from receiver import receiving

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(300)]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
JOB = "stellwerk-worker: diagnostics.echo"
EXPECTED = {
    "stellwerk-web: POST /api/v1/jobs",
    JOB,
    "stellwerk-worker: webhooks.deliver",
    "stellwerk-worker: POST",
}


def test_a_trace_leads_from_the_request_over_the_job_to_the_webhooks_receiver(
    scene: Scene,
) -> None:
    client = Client(scene.url).sign_up()
    with receiving() as hook:
        client.request("POST", "/webhook-endpoints/callback-secret").raise_for_status()
        body = {"operation": "diagnostics.echo", "payload": {}, "callback_url": hook.url}
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        job_id = client.expect(202, "POST", "/jobs", json=body, headers=headers)["job_id"]
        wait_until(lambda: set(spans(scene.collector, TRACE)) >= EXPECTED, timeout_s=90)
    found = spans(scene.collector, TRACE)
    request, job = found["stellwerk-web: POST /api/v1/jobs"], found[JOB]
    assert (request.parent_id, job.parent_id) == (CALLER, request.span_id)
    assert job.attributes["stellwerk.job_id"] == job_id
    assert job.attributes["stellwerk.outcome"] == "completed"
    delivery, call = found["stellwerk-worker: webhooks.deliver"], found["stellwerk-worker: POST"]
    assert (delivery.parent_id, call.parent_id) == (job.span_id, delivery.span_id)
    assert hook.requests[0].headers["traceparent"] == f"00-{TRACE}-{call.span_id}-01"


def test_no_span_tells_a_secret(used: Scene) -> None:
    assert used.collector.requests
    found = [used.planted.found_in(content(sent)) for sent in used.collector.requests]
    assert [names for names in found if names] == []
