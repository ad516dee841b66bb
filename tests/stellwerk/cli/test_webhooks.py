"""Webhook endpoints by the command line."""

from command_line import CommandLine
from hooks import verified
from receiver import receiving


def test_an_endpoint_is_made_tried_out_and_deleted(working: CommandLine) -> None:
    with receiving() as receiver:
        endpoint_id, secret = working.done(
            "webhooks", "create", receiver.url, "--event", "job.failed", "--operation", "videos.*"
        ).split()
        (listed,) = working.json("webhooks")
        assert (listed["id"], listed["event_types"], listed["operations"]) == (
            endpoint_id,
            ["job.failed"],
            ["videos.*"],
        )
        job_id = working.done("webhooks", "test", endpoint_id).strip()
        assert working.run("watch", job_id).code == 0
        assert verified(receiver.requests[0], secret)["type"] == "ping"
    table = working.done("webhooks", "deliveries", endpoint_id)
    assert "delivered" in table
    assert "204" in table
    working.done("webhooks", "delete", endpoint_id, anew=True)
