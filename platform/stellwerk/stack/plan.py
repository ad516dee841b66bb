"""What one start of a stack settled on: its home, ports, URLs and the variables it hands out."""

import sysconfig
from dataclasses import dataclass
from os import pathsep
from pathlib import Path
from shutil import rmtree

from pydantic import SecretStr

from stellwerk.choices import Tls
from stellwerk.errors import ConfigurationError, NotRunning
from stellwerk.settings import Settings, environment
from stellwerk.stack.edge import edge_variables
from stellwerk.stack.gateway_socket import admin_socket
from stellwerk.stack.home import Home, read_json
from stellwerk.stack.lock import holder_of
from stellwerk.stack.modules_site import modules_wish
from stellwerk.stack.ports import choose_ports, known_ports
from stellwerk.stack.postgres import database_url
from stellwerk.stack.report import reachable_address
from stellwerk.stack.simulation import is_simulated, switch_settings
from stellwerk.stack.transport import transport_of
from stellwerk.stack.valkey import redis_url
from stellwerk.vault import Vault

MADE_WHERE_MISSING = (
    "jwt_secret_key",
    "encryption_key",
    "flower_password",
    "scrape_token",
    "realtime_token",
    "edge_token",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """`given` are the settings as found; `filled` has every URL, port and secret in it."""

    home: Home
    given: Settings
    filled: Settings
    ports: dict[str, int]  # by process name; `edge` is the public one

    @property
    def has_own_database(self) -> bool:
        """Whether DATABASE_URL is given."""
        return bool(self.given.database_url.get_secret_value())

    @property
    def has_own_redis(self) -> bool:
        """Whether REDIS_URL is given."""
        return bool(self.given.redis_url.get_secret_value())

    @property
    def has_simulator(self) -> bool:
        """Whether calls go to a simulator of a switch."""
        return is_simulated(self.given)


def make_plan(given: Settings, home: Home) -> Plan:
    """Choose ports and make secrets; raises PortTaken."""
    public = transport_of(given).port
    reserved = given.module_ports()  # of instances, which may not have taken theirs yet
    ports = choose_ports(home, given.host, public, modules_wish(given), reserved=reserved)
    return Plan(home, given, fill(given, home, ports), ports)


def fill(given: Settings, home: Home, ports: dict[str, int]) -> Settings:
    """The settings with what is embedded, chosen or made in the places left empty."""
    made = home.secrets()
    secrets = {
        "database_url": database_url(ports["postgres"], made["database_password"]),
        "redis_url": redis_url(ports["valkey"], made["redis_password"]),
        **{name: made[name] for name in MADE_WHERE_MISSING},
    }
    missing = {
        name: SecretStr(value)
        for name, value in secrets.items()
        if not getattr(given, name).get_secret_value()
    }
    places = {
        "home": home.path,
        "port": ports["edge"],
        "tls_port": ports["edge"],
        "public_url": _public_url(given, ports["edge"]),
        "web_address": f"127.0.0.1:{ports['web']}",
        "realtime_port": ports["realtime"],
        "modules_port": ports["modules"],
        "gateway_port": ports["gateway"],
        "gateway_admin": given.gateway_admin or f"unix://{admin_socket(home.path)}",
    }
    switch = switch_settings(given, home.path, ports["switch"], made["esl_password"])
    return given.model_copy(update={**places, **missing, **switch})


def _public_url(given: Settings, port: int) -> str:
    """What links start with: empty, as it was given, unless TLS gives another answer."""
    transport = transport_of(given)
    if given.public_url or transport.kind is Tls.OFF:
        return given.public_url
    return f"{transport.scheme}://{reachable_address(given.host)}:{port}"


def joined_settings(
    given: Settings, needs: tuple[str, ...] = ("database_url", "redis_url")
) -> Settings:
    """The settings of the stack that runs on this home, for a command that joins it.

    Where none runs, the given ones come back if they name every URL in `needs`; raises
    NotRunning if they do not, and ConfigurationError where the stack seals with another key than
    the given one: it could not read what the command writes.
    """
    home = Home(given.home.absolute())
    if holder_of(home.lock_file):
        filled = fill(given, home, known_ports(home))
        _require_its_key(filled, home)
        return filled
    if all(getattr(given, name).get_secret_value() for name in needs):
        return given
    raise NotRunning(f"Nothing runs in {home.path}. Start it with `stellwerk up`.")


def _require_its_key(filled: Settings, home: Home) -> None:
    known = read_json(home.stack_file).get("encryption_key")
    if known and known != Vault(filled.encryption_keys()).present_key:
        message = (
            f"What runs in {home.path} seals with another key: give this command the same "
            "STELLWERK_ENCRYPTION_KEY."
        )
        raise ConfigurationError(message)


def process_environment(filled: Settings, ports: dict[str, int]) -> dict[str, str]:
    """Our environment with what the Procfile's commands and their processes need."""
    return {
        **environment(),
        **_settings_variables(filled),
        **edge_variables(filled, ports["edge"], ports["modules"]),
        "PATH": sysconfig.get_path("scripts") + pathsep + environment().get("PATH", ""),
        "PYTHONSAFEPATH": "1",  # the folder we were started in holds none of our modules
        "PYTHONUNBUFFERED": "1",
        "GRANIAN_PORT": str(ports["web"]),
        "GRANIAN_WORKERS": str(filled.web_workers),
        "GRANIAN_BLOCKING_THREADS": str(filled.web_threads),
        "FLOWER_PORT": str(ports["flower"]),
        "WEB_METRICS_DIR": str(_fresh_metrics_folder(filled.home)),
    }


def _fresh_metrics_folder(home: Path) -> Path:
    """An empty folder in which the web processes add their numbers up (prometheus_client)."""
    folder = home.absolute() / "metrics"
    rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _settings_variables(filled: Settings) -> dict[str, str]:
    names = (
        "home port host database_url redis_url jwt_secret_key encryption_key flower_password "
        "scrape_token realtime_token edge_token public_url web_address realtime_port "
        "modules_port modules_url gateway_port gateway_admin short_slots long_slots media_slots "
        "esl_host esl_port esl_password esl_announcement call_recordings_dir"
    )
    values = {name: getattr(filled, name) for name in names.split()}
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }
    return {f"STELLWERK_{name.upper()}": value for name, value in plain.items()}
