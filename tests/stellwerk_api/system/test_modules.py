"""Health and metrics say how modules are doing, where there are any."""

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from api import ApiUser
from gateways import GatewayProcess
from module_rows import add_module
from remembered_services import RememberedServices, running_on
from stellwerk.bootstrap import Platform
from stellwerk.errors import ProviderUnavailable
from stellwerk.modules.model import ModuleInstance
from stellwerk.providers.gateway.caddy import CaddyGateway
from stellwerk.stack.ports import free_port
from stellwerk_api.system import health


def part(user: ApiUser) -> dict[str, str] | None:
    """What is said of modules."""
    answer = user.get("/health/ready")
    assert answer.status_code == 200
    return next((one for one in answer.get_json()["parts"] if one["name"] == "modules"), None)


def test_where_none_are_installed_nothing_is_said_of_them(nobody: ApiUser) -> None:
    assert part(nobody) is None


def test_those_that_run_are_counted(
    platform: Platform, nobody: ApiUser, gateway: GatewayProcess
) -> None:
    del gateway
    add_module(platform, "clock", number=2)
    found = part(nobody)
    assert found == {"name": "modules", "status": "ok", "message": "2 running."}


def test_an_instance_in_error_degrades(
    platform: Platform, nobody: ApiUser, gateway: GatewayProcess
) -> None:
    del gateway
    ids = add_module(platform, "clock", number=2)
    with platform.runtime.sessions.begin() as session:
        ill = update(ModuleInstance).where(ModuleInstance.id == ids[0]).values(status="error")
        session.execute(ill)
    found = part(nobody)
    assert found is not None
    assert (found["status"], found["message"]) == ("degraded", "1 of 2 instances in error.")


def test_a_gateway_that_does_not_answer_degrades(platform: Platform) -> None:
    add_module(platform, "clock")
    gateway = CaddyGateway(f"http://127.0.0.1:{free_port()}")
    providers = replace(platform.runtime.providers, gateway=gateway)
    runtime = replace(platform.runtime, providers=providers)
    found = {one.name: one for one in health.parts(replace(platform, runtime=runtime))}
    assert found["modules"].status == "degraded"
    assert found["modules"].message.startswith("the gateway does not answer: ")


def test_a_runtime_that_does_not_answer_degrades_and_is_not_asked_each_time(
    platform: Platform, gateway: GatewayProcess
) -> None:
    del gateway
    add_module(platform, "clock")
    services = RememberedServices(failures={"states": ProviderUnavailable("It is asleep.")})
    asleep = replace(platform, runtime=running_on(platform.runtime, services))
    for _ in range(3):
        found = {one.name: one for one in health.parts(asleep)}["modules"]
        told = "the runtime does not answer: It is asleep."
        assert (found.status, found.message) == ("degraded", told)
    assert services.asked("states") < 3  # but for a while, which may be over meanwhile


def test_instances_are_counted_by_their_status(platform: Platform, admin: ApiUser) -> None:
    add_module(platform, "clock", number=2)
    add_module(platform, "echo", status="stopped")
    families = text_string_to_metric_families(admin.get("/metrics").get_data(as_text=True))
    (gauge,) = [one for one in families if one.name == "stellwerk_module_instances"]
    counted = {sample.labels["status"]: sample.value for sample in gauge.samples}
    assert counted == {"installed": 0, "running": 2, "stopped": 1, "error": 0}
