"""People of every role, and things of Ada's to point requests at, made when they are asked for."""

from collections.abc import Callable, Iterable, Mapping
from secrets import token_hex
from typing import Any

from flask.testing import FlaskClient

from api import PASSWORD, ApiUser, signed_in
from called import add_call
from module_rows import add_far_repository, add_module
from people import add_channel, add_user, quickly_hashed
from stellwerk.bootstrap import Platform
from stellwerk.clock import utc_now


def person(platform: Platform, client: FlaskClient, role: str = "user") -> ApiUser:
    """Somebody new of that role, signed in."""
    email = f"{token_hex(6)}@example.com"
    fields = {
        "email": email,
        "password_hash": quickly_hashed(PASSWORD),
        "email_verified_at": utc_now(),
    }
    add_user(platform, role=role, **fields)
    return signed_in(client, email, audience="telephony")  # a session that may all a session may


class Things:
    """Whatever stands between `<...>` in routes; each is Ada's."""

    def __init__(self, platform: Platform, ada: ApiUser) -> None:
        self._platform = platform
        self._ada = ada
        self._made: dict[str, Any] = {}

    def of(self, endpoint: str, names: Iterable[str]) -> dict[str, Any]:
        """Those that a route takes."""
        return {name: NAMES[endpoint] if name == "name" else self[name] for name in names}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = MAKERS[name](self)
        return self._made[name]

    def job(self) -> str:
        """One that no worker takes."""
        return self._ada.submit()

    def key(self) -> str:
        """An API key."""
        return str(self._ada.with_key().user["key_id"])

    def user(self) -> Any:
        """Herself."""
        return self._ada.user["id"]

    def provider(self) -> str:
        """One that accounts can be connected at."""
        return "google"

    def request(self) -> Any:
        """For a copy of what is held of her."""
        return self._post("/privacy/export", password=PASSWORD)["id"]

    def channel(self) -> int:
        """A channel."""
        return add_channel(self._platform, int(self._ada.user["id"]))

    def video(self) -> int:
        """One that is being generated."""
        topic = {"topic": "How signals work", "target_duration": 30}
        return int(
            self._post("/videos/generate", channel_id=self["channel_id"], **topic)["video_id"]
        )

    def schedule(self) -> Any:
        """A schedule."""
        every = {"operation": "diagnostics.echo", "interval_s": 3600}
        return self._post("/schedules", name="hourly", **every)["id"]

    def endpoint(self) -> Any:
        """A webhook endpoint."""
        return self._post("/webhook-endpoints", url="https://hooks.example.com")["id"]

    def delivery(self) -> Any:
        """What was sent to it."""
        return self._post(f"/webhook-endpoints/{self['endpoint_id']}/test")["delivery_id"]

    def call(self) -> Any:
        """One that rings."""
        return add_call(self._platform, int(self._ada.user["id"]), state="ringing")

    def module(self) -> str:
        """The name of one that is installed, is stopped, and nobody's."""
        name = f"clock-{token_hex(4)}"
        self._made["instance_id"] = add_module(self._platform, name, wanted="stopped")[0]
        return name

    def instance(self) -> Any:
        """Its only instance."""
        assert self["module_name"]
        return self._made["instance_id"]

    def repository(self) -> int:
        """One that nobody has read."""
        return add_far_repository(self._platform)

    def _post(self, path: str, **body: Any) -> Mapping[str, Any]:
        answer = self._ada.post(path, body or None)
        assert answer.status_code < 300, answer.text
        said: Mapping[str, Any] = answer.get_json()
        return said


MAKERS: Mapping[str, Callable[[Things], Any]] = {
    "job_id": Things.job,
    "key_id": Things.key,
    "user_id": Things.user,
    "provider": Things.provider,
    "request_id": Things.request,
    "channel_id": Things.channel,
    "video_id": Things.video,
    "schedule_id": Things.schedule,
    "endpoint_id": Things.endpoint,
    "delivery_id": Things.delivery,
    "call_id": Things.call,
    "operation_id": Things.job,
    "instance_id": Things.instance,
    "module_name": Things.module,
    "module_id": Things.module,
    "repository_id": Things.repository,
}
# What is named, and nobody's.
NAMES = {
    "configuration.show": "maintenance.message",
    "configuration.replace": "maintenance.message",
    "configuration.reset": "maintenance.message",
    "operations.show": "diagnostics.echo",
    "jobs.artifact": "nothing.txt",
    "queues.show": "media",
    "queues.pause": "media",
    "queues.resume": "media",
}
