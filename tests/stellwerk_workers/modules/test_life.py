"""Modules are installed with what they need, keep their data, and are started and stopped."""

from pathlib import Path
from typing import Any

import pytest
import requests

from dump import dumped, dumped_redis
from embedded import wait_until
from installations import NOTHING, Installations
from module_repositories import HEALTH, Behaviour, ServerModule, make_repository
from stellwerk.errors import Conflict, ErrorCode
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.services import sealed_secrets, secrets_of

SOON_ILL = {**HEALTH, "start_period_s": 1}
TELLS_ITS_SURROUNDINGS = """\
import json
import os
from pathlib import Path

from serving import Handler, Server

NOTES = Path(os.environ["DATA_DIR"]) / "notes"


class Answer(Handler):
    def do_GET(self):
        self.answer_json({"environment": dict(os.environ), "notes": NOTES.exists()})

    def do_POST(self):
        NOTES.write_text("kept")
        self.do_GET()


Server(Answer).serve_until_ended()
"""


def surroundings(modules: Installations, name: str, method: str = "GET") -> dict[str, Any]:
    answer = requests.request(method, f"http://{modules.address(name)}/", timeout=60)
    return dict(answer.json())


def test_what_a_module_needs_is_installed_before_it(modules: Installations, tmp_path: Path) -> None:
    page = ServerModule("page", dependencies=["store>=1"])
    store = ServerModule("store", dependencies=["clock"])
    modules.offer(make_repository(tmp_path / "needs", page, store, ServerModule("clock")))
    job_id = modules.submit("install", module_name="page")
    (result,) = modules.completed(job_id)
    assert result["dependencies"] == ["clock", "store"]
    ages = [modules.there(name).instances for name in ("clock", "store", "page")]
    assert all(len(one) == 1 for one in ages)
    with pytest.raises(Conflict) as told:
        modules.submit("uninstall", module_name="clock")
    assert told.value.code is ErrorCode.MODULE_NEEDED


def test_what_needs_an_ill_module_is_not_installed(modules: Installations, tmp_path: Path) -> None:
    ill = ServerModule("clock", behaviour=Behaviour(crashes_at_start=True), health=SOON_ILL)
    page = ServerModule("page", dependencies=["clock"])
    modules.offer(make_repository(tmp_path / "ill", page, ill))
    (job,) = modules.ended(modules.submit("install", module_name="page"))
    assert (job.status, job.error and job.error["code"]) == ("failed", "CHILD_FAILED")
    assert [modules.there(name) for name in ("page", "clock")] == [NOTHING, NOTHING]
    assert modules.is_tidy()


def test_an_ill_module_is_undone_and_its_last_lines_are_told(
    modules: Installations, tmp_path: Path
) -> None:
    ill = ServerModule("ill", behaviour=Behaviour(crashes_at_start=True), health=SOON_ILL)
    modules.offer(make_repository(tmp_path / "ill", ill))
    (job,) = modules.ended(modules.submit("install", module_name="ill"))
    assert job.error
    assert job.error["code"] == "MODULE_UNHEALTHY"
    assert "This module cannot start." in job.error["details"]["log"]
    assert modules.there("ill") == NOTHING
    assert modules.is_tidy()


def test_two_installs_at_once_are_one_and_a_refusal(modules: Installations, tmp_path: Path) -> None:
    modules.offer(make_repository(tmp_path / "one", ServerModule("clock")))
    first = modules.submit("install", module_name="clock")
    with pytest.raises(Conflict) as told:
        modules.submit("install", module_name="clock")
    assert told.value.code is ErrorCode.MODULE_BUSY
    assert told.value.details["operation_id"] == str(first)
    modules.completed(first)
    with pytest.raises(Conflict) as told:
        modules.submit("install", module_name="clock")
    assert told.value.code is ErrorCode.MODULE_INSTALLED


def test_an_instance_has_variables_and_secrets_of_its_own_and_keeps_its_data(
    modules: Installations, tmp_path: Path
) -> None:
    teller = ServerModule("teller", program=TELLS_ITS_SURROUNDINGS, health={**HEALTH, "path": "/"})
    modules.offer(make_repository(tmp_path / "tellers", teller))
    given = {"environment": {"COLOUR": "blue"}, "secrets": {"TOKEN": "open sesame"}}
    instance_id = modules.install("teller", **given)
    first = surroundings(modules, "teller", "POST")
    assert (first["environment"]["COLOUR"], first["environment"]["TOKEN"]) == (
        "blue",
        "open sesame",
    )
    assert not [name for name in first["environment"] if name.startswith("STELLWERK")]

    runtime = modules.platform.runtime
    with runtime.sessions.begin() as session:
        row = session.get_one(ModuleInstance, instance_id)
        row.environment = {"COLOUR": "green"}
        assert secrets_of(runtime.vault, row) == {"TOKEN": "open sesame"}
        row.secrets = sealed_secrets(runtime.vault, instance_id, {"TOKEN": "close sesame"})
    about = {"module_name": "teller", "instance_id": instance_id}
    modules.completed(modules.submit("restart", **about))
    second = surroundings(modules, "teller")
    assert second["notes"]
    assert (second["environment"]["COLOUR"], second["environment"]["TOKEN"]) == (
        "green",
        "close sesame",
    )
    written_down = dumped(modules.platform) + dumped_redis(modules.platform)
    assert b"COLOUR" in written_down
    for form in (b"sesame", b"sesame".hex().encode()):
        assert form not in written_down

    modules.completed(modules.submit("stop", **about))
    with pytest.raises(requests.ConnectionError):
        surroundings(modules, "teller")
    modules.completed(modules.submit("start", **about))
    assert surroundings(modules, "teller")["notes"]

    removed = modules.completed(modules.submit("uninstall", module_name="teller"))[0]
    (kept,) = removed["kept"]
    assert (Path(kept) / "notes").read_text() == "kept"
    assert modules.there("teller") == NOTHING


def test_only_instances_that_are_not_primary_are_removed(
    modules: Installations, tmp_path: Path
) -> None:
    modules.offer(make_repository(tmp_path / "one", ServerModule("clock")))
    first = modules.install("clock")
    second = modules.completed(modules.submit("install_instance", module_name="clock"))[0]
    assert modules.there("clock").instances == tuple(sorted((first, second["instance_id"])))
    about = {"module_name": "clock", "instance_id": first, "data": "drop"}
    with pytest.raises(Conflict) as told:
        modules.submit("remove_instance", **about)
    assert told.value.code is ErrorCode.INSTANCE_IS_PRIMARY
    about["instance_id"] = second["instance_id"]
    modules.completed(modules.submit("remove_instance", **about))
    assert modules.there("clock").services == (first,)
    assert modules.is_tidy()


def test_a_gateway_leads_to_the_primary_instance_alone(
    modules: Installations, gateway: Any, tmp_path: Path
) -> None:
    modules.offer(make_repository(tmp_path / "one", ServerModule("clock")))
    modules.install("clock")
    wait_until(lambda: gateway.get("/clock/now").is_success)
    assert gateway.get("/clock/now").json()["path"] == "/now"
    (removed,) = modules.completed(modules.submit("uninstall", module_name="clock"))
    assert removed["kept"] == []  # it has no data
    assert gateway.get("/clock/now").status_code == 404
