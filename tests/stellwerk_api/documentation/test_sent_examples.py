"""Every request that the OpenAPI document shows is sent as it stands there, and accepted."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from api import API, PASSWORD, ApiUser, signed_up
from attempts import attempt
from called import add_call, telephonist
from module_repositories import ServerModule
from module_rows import add_far_repository, add_module, add_repository, forget_modules
from receiver import receiving
from stellwerk.bootstrap import Platform
from stellwerk.identity import links
from stellwerk.identity.links import Followed, Purpose
from stellwerk.jobs import control, lifecycle
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.model import JobArtifact, JobStep
from stellwerk.jobs.runtime import unit
from stellwerk.jobs.states import JobStatus

CHANNEL = {"name": "Signals"}
OF_OPERATORS = ("/modules", "/repository", "/repositories", "/api/install")
SCHEDULE = {"operation": "diagnostics.echo", "interval_s": 3600}
# Flask itself refuses streams; test_streams.py sends this example through the edge.
STREAMED = {"GET /jobs/{job_id}/events"}
# No provider is set up here; test_google.py, test_signing_in.py and test_twilio.py send these.
TO_PROVIDERS = {
    "POST /call-events/{carrier}",
    "POST /connections/{provider}",
    "POST /channels/{channel_id}/connect",
    "POST /auth/nextcloud",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Who sends the examples, and where to."""

    platform: Platform
    ada: ApiUser
    admin: ApiUser
    realtime: ApiUser
    folder: Path


@pytest.fixture
def stage(
    platform: Platform, client: FlaskClient, ada: ApiUser, admin: ApiUser, tmp_path: Path
) -> Stage:
    token = platform.settings.realtime_secret()
    realtime = ApiUser(client, {"Authorization": f"Bearer {token}"})
    return Stage(platform, ada, admin, realtime, tmp_path)


def test_every_example_of_a_request_is_accepted(stage: Stage, client: FlaskClient) -> None:
    shown = {
        name: operation
        for name, operation in operations(client.get("/api/openapi.json").get_json())
        if shows_examples(operation) and name not in STREAMED | TO_PROVIDERS
    }
    assert set(PLACES) <= set(shown)
    for name, operation in shown.items():
        answered = send(stage, name, operation)
        assert (answered in operation["responses"], answered[0]) == (True, "2"), name


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in ("get", "post", "patch", "put", "delete"):
            if method in methods:
                yield f"{method.upper()} {path.removeprefix(API)}", methods[method]


def shows_examples(operation: Mapping[str, Any]) -> bool:
    return "requestBody" in operation or bool(examples(operation, "header", "query"))


def examples(operation: Mapping[str, Any], *places: str) -> dict[str, Any]:
    shown = {
        one["name"]: one.get("example", one["schema"].get("example"))
        for one in operation.get("parameters", ())
        if one["in"] in places
    }
    return {name: example for name, example in shown.items() if example is not None}


def send(stage: Stage, name: str, operation: Mapping[str, Any]) -> str:
    """Send all examples of an operation at once; returns the status it is answered with."""
    method, _, template = name.partition(" ")
    place = PLACES.get(name, nowhere)
    senders = {
        "/jobs/requeue": stage.admin,
        "/listeners/compare": stage.realtime,
        "/users/{user_id}": stage.admin,
        "/auth/password": signed_up(stage.ada.client),
        "/users/me": signed_up(stage.ada.client),
    }
    senders |= {found: stage.admin for found in [template] if found.startswith("/admin/")}
    senders |= {found: stage.admin for found in [template] if found.startswith(OF_OPERATORS)}
    senders |= {found: telephonist(stage.ada) for found in [template] if found == "/call"}
    path = template.format_map(place(stage))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    sender = senders.get(template, stage.ada)
    answer = sender.client.open(
        path if template.startswith("/api/") else f"{API}{path}",
        method=method,
        headers=dict(sender.credentials)
        | {
            name: example.encode("ascii").decode()  # others do not travel
            for name, example in examples(operation, "header").items()
        },
        query_string=examples(operation, "query"),
        json=body.get("example", {}) | SECRETS.get(name, nothing)(stage)
        if "example" in body
        else None,
    )
    assert answer.status_code < 500, answer.text
    return str(answer.status_code)


def nothing(_: Stage) -> Mapping[str, Any]:
    return {}


def nowhere(_: Stage) -> Mapping[str, Any]:
    return {}


def a_job(stage: Stage) -> dict[str, Any]:
    return {"job_id": stage.ada.submit()}


def an_ended_job(stage: Stage) -> dict[str, Any]:
    job_id = stage.ada.submit()
    assert stage.ada.post(f"/jobs/{job_id}/cancel").status_code == 202
    return {"job_id": job_id}


def an_uncertain_job(stage: Stage) -> dict[str, Any]:
    job_id = UUID(stage.ada.submit())
    error = lifecycle.failure("EFFECT_UNCERTAIN", "Nobody can tell.", retryable=False)
    effect = {"kind": "effect", "state": "intent", "repeatable": "blind", "attempt": 1}
    with unit(stage.platform.runtime) as work:
        work.session.add(JobStep(job_id=job_id, step="dial", **effect))
        job = control.locked(work.session, job_id)
        outcome = Outcome(JobStatus.FAILED, error=error)
        lifecycle.end(stage.platform.runtime, work, job, outcome)
    return {"job_id": job_id}


def an_artifact(stage: Stage) -> dict[str, Any]:
    job_id = stage.ada.submit()
    file = stage.folder / "note.txt"
    file.write_bytes(b"note" * 1000)
    key = f"{job_id}/1/note.txt"
    stored = stage.platform.artifacts.put(key, file, "text/plain")
    row = JobArtifact(
        job_id=UUID(job_id),
        name="note.txt",
        attempt=1,
        storage_key=key,
        content_type="text/plain",
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
    )
    with stage.platform.runtime.sessions.begin() as session:
        session.add(row)
    return {"job_id": job_id, "name": "note.txt"}


def made(stage: Stage, path: str, body: Mapping[str, Any]) -> int | str:
    answer = stage.ada.post(path, body)
    assert answer.status_code == 201, answer.text
    found: int | str = answer.get_json()["id"]
    return found


def a_channel(stage: Stage) -> dict[str, Any]:
    """The one that a free account may have."""
    found = stage.ada.get("/channels/").get_json()["items"]
    return {"channel_id": found[0]["id"] if found else made(stage, "/channels/", CHANNEL)}


def a_schedule(stage: Stage) -> dict[str, Any]:
    return {"schedule_id": made(stage, "/schedules", SCHEDULE | {"name": token_hex(4)})}


def a_video(stage: Stage) -> dict[str, Any]:
    """The one that the example of a generation made."""
    (video,) = stage.ada.get("/videos/").get_json()["items"]
    return {"video_id": video["id"], "job_id": video["job_id"]}


def a_failed_video(stage: Stage) -> dict[str, Any]:
    video = a_video(stage)
    assert stage.ada.post(f"/jobs/{video['job_id']}/cancel").status_code == 202
    return video


def an_endpoint(stage: Stage, url: str = "https://hooks.example.com/in") -> dict[str, Any]:
    return {"endpoint_id": made(stage, "/webhook-endpoints", {"url": url})}


def a_failed_delivery(stage: Stage) -> dict[str, Any]:
    with receiving([400]) as receiver:
        endpoint = an_endpoint(stage, receiver.url)
        root = f"/webhook-endpoints/{endpoint['endpoint_id']}"
        delivery = stage.ada.post(f"{root}/test").get_json()
        while attempt(stage.platform.runtime, UUID(delivery["job_id"])) == "again":
            pass
    return {**endpoint, "delivery_id": delivery["delivery_id"]}


def a_callback(stage: Stage) -> dict[str, Any]:
    with receiving() as receiver:
        stage.ada.post("/webhook-endpoints/callback-secret")
        body = {"operation": "diagnostics.echo", "callback_url": receiver.url}
        about = UUID(stage.ada.post("/jobs", body).get_json()["job_id"])
        attempt(stage.platform.runtime, about)
        log = "/webhook-endpoints/callback-deliveries"
        (delivery,) = stage.ada.get(log).get_json()["items"]
        attempt(stage.platform.runtime, UUID(delivery["job_id"]))
    return {"delivery_id": delivery["id"]}


def a_key(stage: Stage) -> Mapping[str, Any]:
    return stage.ada.with_key().user


def a_link(stage: Stage) -> str:
    bob = signed_up(stage.ada.client)
    to = Followed(int(bob.user["id"]), str(bob.user["email"]))
    with stage.platform.runtime.sessions.begin() as session:
        return links.make(session, stage.platform.settings, Purpose.RESET_PASSWORD, to)


def a_call(stage: Stage) -> dict[str, Any]:
    return {"call_id": add_call(stage.platform, int(stage.ada.user["id"]))}


def a_module(stage: Stage) -> dict[str, Any]:
    """One that nothing is at work on; its name is the example's."""
    forget_modules(stage.platform)
    (instance_id,) = add_module(stage.platform, "clock", wanted="stopped")
    return {"module_name": "clock", "module_id": "clock", "instance_id": instance_id}


def a_second_instance(stage: Stage) -> dict[str, Any]:
    forget_modules(stage.platform)
    ids = add_module(stage.platform, "clock", number=2, wanted="stopped")
    return {"module_name": "clock", "instance_id": ids[1]}


def an_old_module(stage: Stage) -> dict[str, Any]:
    an_offer(stage)
    add_module(stage.platform, "clock", wanted="stopped")
    return {}


def an_offer(stage: Stage) -> dict[str, Any]:
    forget_modules(stage.platform)
    add_repository(stage.platform, stage.folder / token_hex(4), ServerModule("clock", "2.0.0"))
    return {"module_name": "clock"}


def an_entry(_: Stage) -> dict[str, Any]:
    return {"name": "maintenance.message"}


PLACES: Mapping[str, Callable[[Stage], Mapping[str, Any]]] = {
    "POST /api-keys/{key_id}/rotate": a_key,
    "PATCH /channels/{channel_id}": a_channel,
    "GET /operations/{name}": lambda _: {"name": "diagnostics.echo"},
    "GET /jobs/{job_id}": a_job,
    "POST /jobs/{job_id}/cancel": a_job,
    "POST /jobs/{job_id}/signal": a_job,
    "POST /jobs/{job_id}/retry": an_ended_job,
    "POST /jobs/{job_id}/resolve": an_uncertain_job,
    "GET /jobs/{job_id}/artifacts/{name}": an_artifact,
    "GET /call-status/{call_id}": a_call,
    "PUT /admin/config/{name}": an_entry,
    "POST /admin/config/{name}/reset": an_entry,
    "PATCH /schedules/{schedule_id}": a_schedule,
    "POST /schedules/{schedule_id}/run": a_schedule,
    "PATCH /users/{user_id}": lambda stage: {"user_id": stage.ada.user["id"]},
    "GET /videos/{video_id}": a_video,
    "PATCH /videos/{video_id}": a_video,
    "POST /videos/{video_id}/retry": a_failed_video,
    "DELETE /modules/instance/{module_name}/{instance_id}": a_second_instance,
    "POST /modules/instance/{module_name}/{instance_id}/start": a_module,
    "POST /modules/instance/{module_name}/{instance_id}/stop": a_module,
    "POST /modules/instance/{module_name}/{instance_id}/restart": a_module,
    "DELETE /repository/uninstall/{module_id}": a_module,
    "POST /repositories/{repository_id}/sync": lambda stage: {
        "repository_id": add_far_repository(stage.platform)
    },
    "POST /modules/update": an_old_module,
    "POST /modules/install-instance": a_module,
    "PATCH /modules/instance/{module_name}/{instance_id}/environment": a_module,
    "POST /repository/install": an_offer,
    "POST /api/install/{module_name}": an_offer,
    "PATCH /webhook-endpoints/{endpoint_id}": an_endpoint,
    "POST /webhook-endpoints/{endpoint_id}/test": an_endpoint,
    "POST /webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/redeliver": a_failed_delivery,
    "POST /webhook-endpoints/callback-deliveries/{delivery_id}/redeliver": a_callback,
}
# What no document can show, in place of what it shows instead.
SECRETS: Mapping[str, Callable[[Stage], Mapping[str, Any]]] = {
    "DELETE /users/me": lambda _: {"password": PASSWORD},
    "POST /auth/password": lambda _: {"current_password": PASSWORD},
    "POST /auth/password-reset/confirm": lambda stage: {"token": a_link(stage)},
    "POST /auth/refresh": lambda stage: {"refresh_token": stage.ada.refresh_token},
}
