"""Instances of modules are followed over streams and sockets, by everybody who may see them."""

import json
import time

from front import Front
from full_stack import Client
from jobs_over_http import EVENT_STREAM, kinds, opened
from module_rows import add_module, let_run
from sockets import talking
from stellwerk.bootstrap import Platform
from stellwerk.live.events import Listener
from stellwerk.live.topics import MODULES, Topics
from stellwerk.modules import telling
from stellwerk_api.realtime.lists import AT_ONCE, LISTS


def lose(platform: Platform) -> None:
    """Have it told what the runtime says of an instance that only stands in the ledger."""
    telling.tell(platform.runtime, "clock")


def test_a_stream_begins_with_all_instances_and_tells_their_changes(
    client: Client, platform: Platform
) -> None:
    ids = add_module(platform, "clock")
    let_run(platform, "clock", ids)
    with opened(client, "/modules/events") as (answer, found):
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        (listed,) = json.loads(next(found).data)["items"]
        assert (listed["instance_id"], listed["status"]) == (ids[0], "running")
        lose(platform)
        telling.tell(platform.runtime, "echo", removed=["0" * 32])
        told = [next(found), next(found)]
    assert kinds(told) == ["changed", "removed"]
    assert json.loads(told[0].data)["status"] == "error"
    assert json.loads(told[1].data) == {"module_name": "echo", "instance_id": "0" * 32}


def test_a_socket_has_a_channel_of_modules(client: Client, platform: Platform) -> None:
    ids = add_module(platform, "clock")
    let_run(platform, "clock", ids)
    with talking(client) as talk:
        listed = talk.subscribe("modules")
        assert (listed["event"], listed["id"]) == ("snapshot", None)
        assert listed["data"]["items"][0]["status"] == "running"
        lose(platform)
        told = talk.hear()
        assert (told["channel"], told["event"], told["id"]) == ("modules", "changed", None)
        assert (told["data"]["instance_id"], told["data"]["status"]) == (ids[0], "error")
        talk.say("unsubscribe", channel="modules")
        assert talk.hear()["reason"] == "asked"


def test_all_instances_are_listed_however_many_there_are(
    client: Client, platform: Platform
) -> None:
    ids = add_module(platform, "clock", number=AT_ONCE + 1, wanted="stopped", status="stopped")
    with opened(client, "/modules/events") as (_, found):
        listed = json.loads(next(found).data)
    assert [one["instance_id"] for one in listed["items"]] == sorted(ids)
    assert listed["next_cursor"] is None
    with talking(client) as talk:
        assert len(talk.subscribe("modules")["data"]["items"]) == len(ids)


def test_the_alias_is_the_same_stream(client: Client) -> None:
    headers = {"Accept": EVENT_STREAM}
    with client.session.get(
        f"{client.url}/modules/events", headers=headers, stream=True, timeout=20
    ) as answer:
        assert answer.headers["Content-Type"].startswith(EVENT_STREAM)


def test_whoever_may_not_see_modules_hears_nothing_of_them(front: Front) -> None:
    with opened(Client(front.url), "/modules/events") as (answer, _):
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "NOT_AUTHENTICATED"


def test_what_is_told_and_what_is_listened_to_have_one_name() -> None:
    assert LISTS["modules"].topic(1) == telling.TOPIC


def test_modules_are_compared_with_no_job() -> None:
    topics = Topics()
    topics.attach(MODULES, Listener())
    assert list(topics) == [MODULES]
    assert topics.silent(time.monotonic() + 1) == {}
