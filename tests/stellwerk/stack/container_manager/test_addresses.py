"""Which addresses of Docker's API a container manager lets through, from whom, and with what."""

import copy

import pytest
import requests

from managers import LET_THROUGH, NAME, NETWORK, REFUSED, TOKEN, Change, Manager

ALLOWED = [
    ("GET", "/version"),
    ("GET", "/v1.41/services?filters=%7B%7D"),
    ("GET", f"/v1.41/services/{NAME}"),
    ("GET", f"/v1.41/services/{NAME}?insertDefaults=true"),
    ("GET", f"/v1.41/services/{NAME}/logs?stdout=1&stderr=1&timestamps=1&since=0&tail=10"),
    ("DELETE", f"/v1.41/services/{NAME}"),
    ("GET", "/v1.44/tasks?filters=%7B%7D"),
    ("GET", f"/v1.41/networks/{NETWORK}"),
]

FORBIDDEN = [
    ("GET", "/"),
    ("GET", "/v1.41/info"),
    ("GET", "/v1.41/containers/json"),
    ("POST", "/v1.41/containers/create"),
    ("POST", f"/v1.41/containers/{NAME}/exec"),
    ("POST", "/v1.41/exec/1/start"),
    ("GET", "/v1.41/images/json"),
    ("POST", "/v1.41/build"),
    ("GET", "/v1.41/secrets"),
    ("GET", "/v1.41/configs"),
    ("GET", "/v1.41/volumes"),
    ("GET", "/v1.41/swarm"),
    ("GET", "/v1.41/swarm/unlockkey"),
    ("GET", "/v1.41/nodes"),
    ("GET", "/v1.41/networks"),
    ("GET", "/v1.41/networks/ingress"),
    ("DELETE", f"/v1.41/networks/{NETWORK}"),
    ("GET", "/v1.41/services/database"),
    ("DELETE", "/v1.41/services/database"),
    ("GET", "/v1.41/services/database/logs"),
    ("GET", f"/v1.41/services/{NAME}/logs?follow=1"),
    ("GET", f"/v1.41/services/{NAME}/logs?tail=1&tail=2"),
    ("DELETE", f"/v1.41/services/{NAME}?force=1"),
    ("GET", f"/v1.41/services/{NAME}%2F..%2F..%2Finfo"),
    ("GET", f"/v1.41/services/{NAME}/../../info"),
    ("GET", f"/v1.41//services/{NAME}"),
    ("GET", "/v1.41/tasks/abc"),
    ("GET", "/v1.24/services"),
    ("GET", "/services"),
    ("PUT", f"/v1.41/services/{NAME}"),
    ("HEAD", "/v1.41/containers/json"),
]


@pytest.mark.parametrize(("method", "path"), ALLOWED)
def test_what_the_platform_needs_is_let_through(manager: Manager, method: str, path: str) -> None:
    assert manager.ask(method, path).status_code == LET_THROUGH


@pytest.mark.parametrize(("method", "path"), FORBIDDEN)
def test_other_addresses_are_refused(manager: Manager, method: str, path: str) -> None:
    wanted = requests.Request(method, manager.url).prepare()
    wanted.url = manager.url + path  # as it stands: requests would tidy it
    wanted.headers["Authorization"] = f"Bearer {TOKEN}"
    with requests.Session() as session:
        assert session.send(wanted, timeout=60).status_code == REFUSED


NETWORKS: dict[str, Change] = {
    "another name": lambda b: b.update(Name="bridge"),
    "another driver": lambda b: b.update(Driver="macvlan"),
    "options": lambda b: b.update(Options={"parent": "eth0"}),
    "the ingress": lambda b: b.update(Ingress=True),
    "another's": lambda b: b.update(ConfigFrom={"Network": "x"}),
}


def test_the_one_network_may_be_made_and_no_other(manager: Manager) -> None:
    body = {"Name": NETWORK, "Driver": "overlay", "Attachable": True, "Scope": "swarm"}
    body |= {"Labels": {"stellwerk.stack": "stellwerk"}, "Options": None, "IPAM": None}
    path = "/v1.41/networks/create"

    assert manager.ask("POST", path, body).status_code == LET_THROUGH
    for change in NETWORKS.values():
        changed = copy.deepcopy(body)
        change(changed)
        assert manager.ask("POST", path, changed).status_code == REFUSED


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no json", 400),
        (b"[]", 400),
        (b"[" * 100_000, 400),
        (b" " * (1024**2 + 1), 413),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(manager: Manager, body: bytes, status: int) -> None:
    assert manager.ask("POST", "/v1.41/services/create", body).status_code == status


def test_a_body_without_its_length_is_refused(manager: Manager) -> None:
    answer = requests.post(
        f"{manager.url}/v1.41/services/create",
        data=iter([b"{}"]),
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=60,
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", TOKEN])
def test_who_has_no_token_is_not_served(manager: Manager, token: str) -> None:
    assert manager.ask("GET", "/version", headers={"Authorization": token}).status_code == 401
