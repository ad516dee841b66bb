"""Which ends are told to whom, what a receiver's answer means, and when one is given up."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from attempts import attempt
from embedded import wait_until
from hooks import Hook, deliveries_of, document, hook, verified
from locks import waits_for_a_lock
from people import add_user
from receiver import Receiver, receiving
from stellwerk.bootstrap import Platform
from stellwerk.clock import lowest_id_since, utc_now
from stellwerk.errors import Conflict, InvalidInput
from stellwerk.jobs import control
from stellwerk.jobs.model import Job, JobWatcher
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.jobs.submission import Submission, submit
from stellwerk.providers.outbound.addresses import AddressRules
from stellwerk.providers.outbound.client import OutboundClient
from stellwerk.providers.outbound.targets import TargetRules
from stellwerk.webhooks import deliveries, keyring, retention, service
from stellwerk.webhooks.keyring import Ring
from stellwerk.webhooks.model import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookSecret
from stellwerk_workers.reports import Came


def told(runtime: Runtime, owner_id: int) -> list[tuple[str, UUID | None]]:
    return [(one.event_type, one.about_job_id) for one in deliveries_of(runtime, owner_id)]


def one_delivery(made: Hook) -> WebhookDelivery:
    """An echo ended; this is the delivery that tells of it."""
    attempt(made.runtime, made.submit())
    (found,) = deliveries_of(made.runtime, made.owner_id)
    return found


def one_try(made: Hook) -> tuple[Came, dict[str, Any]]:
    delivery = one_delivery(made)
    came = attempt(made.runtime, delivery.job_id)
    return came, document(made.runtime, delivery.job_id)


def test_a_completed_and_a_cancelled_job_are_told_in_thin_signed_bodies(platform: Platform) -> None:
    runtime = platform.runtime
    with receiving() as receiver:
        made = hook(platform, receiver.url)
        completed, cancelled = made.submit(), made.submit()
        attempt(runtime, completed)
        control.cancel(runtime, cancelled)
        for delivery in deliveries_of(runtime, made.owner_id):
            assert attempt(runtime, delivery.job_id) is Came.COMPLETED
    bodies = [verified(request, made.secret) for request in receiver.requests]
    assert [body["type"] for body in bodies] == ["job.completed", "job.cancelled"]
    assert bodies[0]["data"] == {
        "job_id": str(completed),
        "operation": "diagnostics.echo",
        "status": "completed",
        "url": f"{platform.settings.base_url()}/api/v1/jobs/{completed}",
    }
    assert bodies[0]["timestamp"] == document(runtime, completed)["finished_at"]
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert ids == [one["webhook_id"] for one in reversed(made.deliveries())]


def test_an_endpoint_that_is_deleted_at_that_moment_does_not_hold_up_a_jobs_end(
    platform: Platform,
) -> None:
    made = hook(platform, "https://a.example")
    job_id = made.submit()
    with ThreadPoolExecutor(1) as pool:
        with made.runtime.sessions.begin() as session:
            service.delete(session, session.get_one(WebhookEndpoint, made.endpoint_id))
            ended = pool.submit(attempt, made.runtime, job_id)
            wait_until(lambda: waits_for_a_lock(platform))
        assert ended.result(timeout=60) is Came.COMPLETED
    assert (document(made.runtime, job_id)["attempt"], made.deliveries()) == (1, [])


def test_an_endpoint_hears_of_what_it_asked_for_alone(platform: Platform) -> None:
    runtime = platform.runtime
    failures = hook(platform, "https://a.example", event_types=["job.failed"])
    owner_id = failures.owner_id
    videos = hook(platform, "https://b.example", owner_id=owner_id, operations=["videos.*"])
    echoes = hook(platform, "https://c.example", owner_id=owner_id, operations=["diagnostics.*"])
    attempt(runtime, failures.submit())
    assert failures.deliveries() == videos.deliveries() == []
    assert [one["event_type"] for one in echoes.deliveries()] == ["job.completed"]


def test_nobody_hears_of_another_users_job_and_a_delivery_is_not_told_itself(
    platform: Platform,
) -> None:
    runtime = platform.runtime
    with receiving() as receiver:
        made = hook(platform, receiver.url)
        attempt(runtime, submit(runtime, Submission("diagnostics.echo", {}, add_user(platform))))
        assert told(runtime, made.owner_id) == []
        came, _ = one_try(made)
    assert came is Came.COMPLETED
    assert len(told(runtime, made.owner_id)) == 1


def test_the_engine_is_asked_to_watch_only_while_an_endpoint_listens(platform: Platform) -> None:
    made = hook(platform, "https://a.example")

    def is_watched() -> bool:
        with platform.runtime.sessions() as session:
            return session.get(JobWatcher, made.owner_id) is not None

    def change(**fields: Any) -> None:
        with platform.runtime.sessions.begin() as session:
            endpoint = session.get_one(WebhookEndpoint, made.endpoint_id)
            service.change(session, platform.runtime, endpoint, fields)

    assert is_watched()
    change(is_active=False)
    assert not is_watched()
    change(is_active=True)
    assert is_watched()
    with platform.runtime.sessions.begin() as session:
        service.delete(session, session.get_one(WebhookEndpoint, made.endpoint_id))
    assert not is_watched()


def test_a_callback_is_told_without_an_endpoint_signed_by_its_owners_secret(
    platform: Platform,
) -> None:
    runtime, owner_id = platform.runtime, add_user(platform)
    with runtime.sessions.begin() as session:
        secret = keyring.replace(session, runtime.vault, Ring(owner_id), overlap_h=1)
    with receiving() as receiver:
        submission = Submission("diagnostics.echo", {}, owner_id, callback_url=receiver.url)
        attempt(runtime, submit(runtime, submission))
        (delivery,) = deliveries_of(runtime, owner_id)
        assert attempt(runtime, delivery.job_id) is Came.COMPLETED
    assert verified(receiver.requests[0], secret)["data"]["job_id"] == str(submission.job_id)


@pytest.mark.parametrize("status", [302, 400, 401, 404, 500, 503])
def test_what_is_no_success_is_tried_again(platform: Platform, status: int) -> None:
    with receiving([status], headers={"Location": "/elsewhere"}) as receiver:
        made = hook(platform, receiver.url)
        came, _ = one_try(made)
    (shown,) = made.deliveries()
    assert came is Came.AGAIN
    assert shown["status"] == "pending"
    assert [one["status_code"] for one in shown["attempts"]] == [status]
    assert str(status) in shown["attempts"][0]["error"]
    assert len(receiver.requests) == 1
    assert made.endpoint().failing_since


@pytest.mark.parametrize(
    ("status", "least_s", "most_s"), [(503, 3599, 3601), (429, 3599, 3601), (500, 0, 60)]
)
def test_the_receivers_retry_after_is_heeded_where_it_means_something(
    platform: Platform, status: int, least_s: float, most_s: float
) -> None:
    with receiving([status], headers={"Retry-After": "3600"}) as receiver:
        delivery = one_delivery(hook(platform, receiver.url))
        attempt(platform.runtime, delivery.job_id)
    with platform.runtime.sessions() as session:
        wait_s = session.scalars(
            select(func.extract("epoch", Job.run_at - func.now())).where(Job.id == delivery.job_id)
        ).one()
    assert least_s - 60 <= wait_s <= most_s


def test_a_success_clears_the_record_of_failures(platform: Platform) -> None:
    with receiving([500, 200]) as receiver:
        made = hook(platform, receiver.url)
        delivery = one_delivery(made)
        attempt(platform.runtime, delivery.job_id)
        attempt(platform.runtime, delivery.job_id)
    assert made.endpoint().failing_since is None
    (shown,) = made.deliveries()
    assert [one["status_code"] for one in shown["attempts"]] == [500, 200]
    assert shown["status"] == "delivered"
    assert shown["finished_at"]


def test_410_disables_the_endpoint_and_what_is_under_way_to_it_fails(platform: Platform) -> None:
    runtime = platform.runtime
    with receiving([410]) as receiver:
        made = hook(platform, receiver.url)
        attempt(runtime, made.submit())
        attempt(runtime, made.submit())
        first, second = deliveries_of(runtime, made.owner_id)
        assert attempt(runtime, first.job_id) is Came.FAILED
        assert attempt(runtime, second.job_id) is Came.FAILED
        attempt(runtime, made.submit())
    assert len(receiver.requests) == 1
    assert len(deliveries_of(runtime, made.owner_id)) == 2
    assert not made.endpoint().is_active
    assert "410" in str(made.endpoint().disabled_reason)
    assert {one["status"] for one in made.deliveries()} == {"failed"}


@pytest.mark.parametrize(("days", "remaining"), [(4, 1), (6, 0)])
def test_after_days_of_nothing_but_failures_the_endpoint_is_disabled(
    platform: Platform, days: int, remaining: int
) -> None:
    runtime = platform.runtime
    with receiving([500]) as receiver:
        made = hook(platform, receiver.url)
        delivery = one_delivery(made)
        attempt(runtime, delivery.job_id)
        made.change(failing_since=utc_now() - timedelta(days=days))
        came = [attempt(runtime, delivery.job_id) for _ in range(7)]
    assert came == [Came.AGAIN] * 6 + [Came.FAILED]
    assert made.endpoint().is_active == bool(remaining)
    with runtime.sessions() as session:
        assert session.scalar(select(func.count()).select_from(JobWatcher)) == remaining


def test_a_target_that_resolves_to_a_private_address_is_refused_for_good(
    platform: Platform,
) -> None:
    outbound = OutboundClient(AddressRules(), TargetRules(), resolver=lambda *_: ["127.0.0.1"])
    providers = replace(platform.runtime.providers, outbound=outbound)
    there = replace(platform, runtime=replace(platform.runtime, providers=providers))
    with receiving() as receiver:
        made = hook(there, f"http://inside.example:{receiver.port}")
        came, job = one_try(made)
    assert came is Came.FAILED
    assert (job["error"]["code"], job["error"]["retryable"]) == ("TARGET_NOT_ALLOWED", False)
    assert receiver.requests == []
    assert made.deliveries()[0]["status"] == "failed"


def test_a_redelivery_is_a_new_job_under_the_old_id(platform: Platform) -> None:
    runtime = platform.runtime
    with receiving([410, 200]) as receiver:
        made = hook(platform, receiver.url)
        delivery = one_delivery(made)
        with unit(runtime) as work, pytest.raises(Conflict, match="still"):
            deliveries.redeliver(runtime, work, again(work.session, delivery))
        attempt(runtime, delivery.job_id)
        with unit(runtime) as work, pytest.raises(Conflict, match="disabled"):
            deliveries.redeliver(runtime, work, again(work.session, delivery))
        made.change(is_active=True)
        with unit(runtime) as work:
            job_id = deliveries.redeliver(runtime, work, again(work.session, delivery)).job_id
        assert made.deliveries()[0]["status"] == "pending"
        assert attempt(runtime, job_id) is Came.COMPLETED
    assert job_id != delivery.job_id
    assert same_ids(receiver)
    assert made.deliveries()[0]["status"] == "delivered"


def again(session: Any, delivery: WebhookDelivery) -> WebhookDelivery:
    found: WebhookDelivery = session.get_one(WebhookDelivery, delivery.id)
    return found


def same_ids(receiver: Receiver) -> bool:
    return len({request.headers["webhook-id"] for request in receiver.requests}) == 1


def test_a_replaced_secret_signs_along_until_its_time_is_over(platform: Platform) -> None:
    runtime = platform.runtime
    with receiving() as receiver:
        made = hook(platform, receiver.url)
        ring = Ring(made.owner_id, made.endpoint_id)
        with runtime.sessions.begin() as session:
            second = keyring.replace(session, runtime.vault, ring, overlap_h=1)
        one_try(made)
        with runtime.sessions.begin() as session:
            third = keyring.replace(session, runtime.vault, ring, overlap_h=0)
        attempt(runtime, made.submit())
        attempt(runtime, deliveries_of(runtime, made.owner_id)[-1].job_id)
    during, after = receiver.requests
    assert verified(during, made.secret) == verified(during, second)
    assert verified(after, third)
    assert len(after.headers["webhook-signature"].split()) == 1


def test_secrets_stand_sealed_in_the_ledger(platform: Platform) -> None:
    made = hook(platform, "https://a.example")
    with platform.runtime.sessions() as session:
        sealed = session.scalars(select(WebhookSecret.sealed)).one()
    assert made.secret.encode() not in bytes(sealed)
    assert made.secret.removeprefix("whsec_").encode() not in bytes(sealed)


@pytest.mark.parametrize(
    "url", ["ftp://a.example", "http://10.0.0.1/", "https://[::1]/", "https://a:b@c.example", "x"]
)
def test_a_url_that_will_never_be_called_is_refused_at_once(platform: Platform, url: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        hook(platform, url)
    assert [error.field for error in refusal.value.errors] == ["url"]


def test_old_deliveries_are_forgotten_and_those_under_way_are_not(platform: Platform) -> None:
    runtime = platform.runtime
    long_ago = utc_now() - timedelta(days=platform.settings.webhook_log_days + 1)
    with receiving() as receiver:
        made = hook(platform, receiver.url)
        one_try(made)
        attempt(runtime, made.submit())
    with runtime.sessions.begin() as session:
        for number, one in enumerate(session.scalars(select(WebhookDelivery)), start=1):
            attempts = list(
                session.scalars(select(WebhookAttempt).where(WebhookAttempt.delivery_id == one.id))
            )
            for tried in attempts:
                session.delete(tried)
            session.flush()
            one.id = UUID(int=lowest_id_since(long_ago).int + number)
    with runtime.sessions.begin() as session:
        assert retention.forget_deliveries(session, platform.settings) == 1
    assert [one["status"] for one in made.deliveries()] == ["pending"]
