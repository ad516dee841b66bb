"""What a container manager refuses: with 403, and before Docker hears of it.

Behind it stands no Docker here: what is let through is answered with 502.
"""

import json
import os
from pathlib import Path
from typing import cast

import pytest

from managers import ID, LET_THROUGH, NAME, OTHER, REFUSED, Body, Change, Manager


def container(body: Body) -> Body:
    return cast("Body", body["TaskTemplate"]["ContainerSpec"])


def mount(body: Body) -> Body:
    return cast("Body", container(body)["Mounts"][1])


def mount_data(name: str) -> Change:
    """Mount another folder of modules instead of its data."""

    def change(body: Body) -> None:
        modules = Path(mount(body)["Source"]).parents[1]
        mount(body)["Source"] = str(modules / name)

    return change


def mount_release(name: str) -> Change:
    """The same instead of its release."""

    def change(body: Body) -> None:
        modules = Path(mount(body)["Source"]).parents[1]
        container(body)["Mounts"][0]["Source"] = str(modules / name)

    return change


def label(name: str, value: str) -> Change:
    """Write it on the service and on its container."""

    def change(body: Body) -> None:
        for written in (body["Labels"], container(body)["Labels"]):
            written[f"stellwerk.{name}"] = value

    return change


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
    "labels of two services": lambda b: container(b)["Labels"].update({"stellwerk.port": "1"}),
    "labels of another instance": label("instance", OTHER),
    "labels of another module": label("module", "echo"),
    "labels of no instance": label("instance", "../../x"),
    "labels without an instance": lambda b: b["Labels"].pop("stellwerk.instance"),
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
    "a user of this machine": lambda b: container(b).update(User="1000:1000"),
    "a group of this machine": lambda b: container(b).update(User="610000:999"),
    "another module's group": lambda b: container(b).update(User="610000:610001"),
    "a user beyond modules'": lambda b: container(b).update(User="610250:610250"),
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
    "what is above modules": mount_data(".."),
    "all modules": mount_data("."),
    "another instance's data": mount_data(f"clock_{OTHER}/data"),
    "another instance's release": mount_release(f"clock_{OTHER}/releases/1.0.0"),
    "data as a release": mount_release(f"clock_{ID}/data"),
    "all releases": mount_release(f"clock_{ID}/releases"),
    "a release as data": mount_data(f"clock_{ID}/releases/1.0.0"),
    "the whole instance": mount_data(f"clock_{ID}"),
    "more of the instance": mount_data(f"clock_{ID}/more"),
    "what keepers write": mount_data(".services"),
    "what was kept": mount_data(".kept/clock"),
    "a link out of modules": mount_data(f"clock_{ID}/data/../out"),
    "a plain link out": mount_data(f"clock_{ID}/out"),
    "a release that leads out": mount_release(f"clock_{ID}/releases/out"),
    "a file": mount_data(f"clock_{ID}/file"),
    "a relative path": lambda b: mount(b).update(Source=mount(b)["Source"][1:]),
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


def test_a_later_generation_and_the_platforms_own_user_are_let_through(manager: Manager) -> None:
    body = manager.body() | {"Name": f"{NAME}_2"}
    owner = manager.modules.stat()
    os.chown(manager.modules, owner.st_uid or 1234, owner.st_gid or 1234)
    found = manager.modules.stat()
    container(body)["User"] = f"{found.st_uid}:{found.st_gid}"

    assert manager.create(body).status_code == LET_THROUGH


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
