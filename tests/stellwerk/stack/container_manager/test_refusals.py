"""What a container manager refuses: with 403, and before Docker hears of it.

Behind it stands no Docker here: what is let through is answered with 502.
"""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import requests

from managers import TOKEN, running_manager
from stellwerk.providers.services.protocol import Limits, ServiceSpec
from stellwerk.providers.services.swarm.body import Place, service_body

NETWORK = "stellwerk_modules"
NAME = f"stellwerk_clock_{'0' * 32}"
PLACE = Place("stellwerk", NETWORK, "python:3.11-slim", "610000:610000")
LET_THROUGH, REFUSED = 502, 403
NOWHERE = "tcp://127.0.0.1:1"

Body = dict[str, Any]
Change = Callable[[Body], object]


class Manager:
    """What it answers."""

    def __init__(self, url: str, modules: Path) -> None:
        self.url, self.modules = url.replace("tcp", "http"), modules

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {TOKEN}"} | more.pop("headers", {})
        data = body if isinstance(body, bytes) or body is None else json.dumps(body)
        return requests.request(
            method, f"{self.url}{path}", data=data, headers=headers, timeout=5, **more
        )

    def create(self, body: Body) -> requests.Response:
        return self.ask("POST", "/v1.41/services/create", body)

    def body(self) -> Body:
        """A service as the platform asks for it."""
        spec = ServiceSpec(
            name=NAME,
            module_name="clock",
            instance_id="0" * 32,
            version="1.0.0",
            folder=self.modules / "clock" / "1.0.0",
            data=self.modules / "clock" / "data",
            port=20_000,
            command=("python3", "server.py"),
            limits=Limits(256 * 1024**2, 0.5, 32),
        )
        return copy.deepcopy(service_body(spec, PLACE))


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    modules = tmp_path_factory.mktemp("modules")
    for name in ("clock/1.0.0", "clock/data"):
        (modules / name).mkdir(parents=True)
    (modules / "clock" / "out").symlink_to("/etc")
    (modules / "clock" / "file").touch()
    with running_manager(NOWHERE, modules, NETWORK) as url:
        yield Manager(url, modules)


def container(body: Body) -> Body:
    return cast("Body", body["TaskTemplate"]["ContainerSpec"])


def mount(body: Body) -> Body:
    return cast("Body", container(body)["Mounts"][1])


def test_what_the_platform_asks_for_is_let_through(manager: Manager) -> None:
    body = manager.body()

    assert manager.create(body).status_code == LET_THROUGH
    update = manager.ask("POST", f"/v1.47/services/{NAME}/update?version=7", body)
    assert update.status_code == LET_THROUGH


CHANGES: dict[str, Change] = {
    "another stack's name": lambda b: b.update(Name="database"),
    "another stack's label": lambda b: b["Labels"].update({"stellwerk.stack": "other"}),
    "a label for others": lambda b: b["Labels"].update({"traefik.enable": "true"}),
    "a label on the container": lambda b: container(b)["Labels"].update({"a": "b"}),
    "a published port": lambda b: b["EndpointSpec"].update(Ports=[{"TargetPort": 80}]),
    "a task on each node": lambda b: b.update(Mode={"Global": {}}),
    "many tasks": lambda b: b["Mode"]["Replicated"].update(Replicas=100),
    "this machine's network": lambda b: b["TaskTemplate"].update(Networks=[{"Target": "host"}]),
    "a second network": lambda b: b["TaskTemplate"]["Networks"].append({"Target": "ingress"}),
    "networks of old": lambda b: b.update(Networks=[{"Target": "host"}]),
    "a place of its choice": lambda b: b["TaskTemplate"].update(Placement={"Constraints": []}),
    "another runtime": lambda b: b["TaskTemplate"].update(Runtime="plugin", PluginSpec={}),
    "another log": lambda b: b["TaskTemplate"].update(LogDriver={"Name": "syslog"}),
    "no limits": lambda b: b["TaskTemplate"].update(Resources={}),
    "no limit of memory": lambda b: b["TaskTemplate"]["Resources"]["Limits"].pop("MemoryBytes"),
    "limits of 0": lambda b: b["TaskTemplate"]["Resources"]["Limits"].update(Pids=0),
    "too much memory": lambda b: b["TaskTemplate"]["Resources"]["Limits"].update(MemoryBytes=2**40),
    "a device": lambda b: b["TaskTemplate"]["Resources"].update(Reservations={}),
    "restarts for ever": lambda b: b["TaskTemplate"]["RestartPolicy"].update(MaxAttempts=0),
    "root": lambda b: container(b).update(User="0:0"),
    "root by name": lambda b: container(b).update(User="root"),
    "root's group": lambda b: container(b).update(User="1000:0"),
    "no user": lambda b: container(b).pop("User"),
    "more groups": lambda b: container(b).update(Groups=["0"]),
    "capabilities": lambda b: container(b).update(CapabilityAdd=["CAP_SYS_ADMIN"]),
    "kept capabilities": lambda b: container(b).update(CapabilityDrop=[]),
    "new privileges": lambda b: container(b).update(Privileges={"NoNewPrivileges": False}),
    "no seccomp": lambda b: container(b)["Privileges"].update(Seccomp={"Mode": "unconfined"}),
    "a number for true": lambda b: container(b).update(ReadOnly=1),
    "a root to write in": lambda b: container(b).update(ReadOnly=False),
    "kernel settings": lambda b: container(b).update(Sysctls={"kernel.domainname": "x"}),
    "secrets of others": lambda b: container(b).update(Secrets=[{"SecretName": "db"}]),
    "configs of others": lambda b: container(b).update(Configs=[]),
    "hosts": lambda b: container(b).update(Hosts=["10.0.0.1 api"]),
    "another case": lambda b: container(b).update(mounts=[]),
    "a mount more": lambda b: container(b)["Mounts"].append(dict(mount(b))),
    "a volume": lambda b: mount(b).update(Type="volume"),
    "Docker's socket": lambda b: mount(b).update(Source="/var/run/docker.sock"),
    "this machine's files": lambda b: mount(b).update(Source="/"),
    "what is above modules": lambda b: mount(b).update(Source=f"{mount(b)['Source']}/../../.."),
    "a link out of modules": lambda b: mount(b).update(Source=f"{mount(b)['Source']}/../out"),
    "a plain link out": lambda b: mount(b).update(Source=mount(b)["Source"].replace("data", "out")),
    "a file": lambda b: mount(b).update(Source=mount(b)["Source"].replace("data", "file")),
    "another target": lambda b: mount(b).update(Target="/etc"),
    "propagation": lambda b: mount(b).update(BindOptions={"Propagation": "rshared"}),
    "a release to write in": lambda b: container(b)["Mounts"][0].update(ReadOnly=False),
    "much in memory": lambda b: container(b)["Mounts"][2]["TmpfsOptions"].update(SizeBytes=2**40),
    "a shell as health check": lambda b: container(b)["Healthcheck"].update(
        Test=["CMD-SHELL", "x"]
    ),
    "checks all the time": lambda b: container(b)["Healthcheck"].update(Interval=1),
    "an odd variable": lambda b: container(b)["Env"].append("no variable"),
    "an odd image": lambda b: container(b).update(Image="-x"),
    "nothing": lambda b: b.clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_service_with_anything_else_is_refused(manager: Manager, change: Change) -> None:
    body = manager.body()
    change(body)

    assert manager.create(body).status_code == REFUSED
    update = manager.ask("POST", f"/v1.41/services/{NAME}/update?version=7", body)
    assert update.status_code == REFUSED


def test_a_refusal_names_what_is_refused(manager: Manager) -> None:
    body = manager.body()
    container(body)["CapabilityAdd"] = ["CAP_SYS_ADMIN"]

    message = manager.create(body).json()["message"]

    assert message == "body.TaskTemplate.ContainerSpec.CapabilityAdd is not allowed."


def test_a_service_is_not_renamed(manager: Manager) -> None:
    body = manager.body() | {"Name": "stellwerk_other"}
    path = f"/v1.41/services/{NAME}/update?version=7"
    assert manager.ask("POST", path, body).status_code == REFUSED


def test_of_a_name_that_comes_twice_the_last_alone_counts(manager: Manager) -> None:
    """Docker would merge both: what it gets is written anew."""
    text, more = json.dumps(manager.body()), '"ContainerSpec": {"Hosts": ["x"]}'
    before = text.replace('"ContainerSpec":', f'{more}, "ContainerSpec":').encode()
    after = text.replace('"Resources":', f'{more}, "Resources":').encode()

    assert manager.ask("POST", "/v1.41/services/create", before).status_code == LET_THROUGH
    assert manager.ask("POST", "/v1.41/services/create", after).status_code == REFUSED


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
        assert session.send(wanted, timeout=5).status_code == REFUSED


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
        timeout=5,
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", TOKEN])
def test_who_has_no_token_is_not_served(manager: Manager, token: str) -> None:
    assert manager.ask("GET", "/version", headers={"Authorization": token}).status_code == 401
