"""The edge: `python -m stellwerk.stack.edge` becomes Caddy, told by the settings what to be."""

import os
import sysconfig
from collections.abc import Mapping
from os import pathsep

from stellwerk.settings import Settings, environment, settings
from stellwerk.shipped import shipped
from stellwerk.stack.modules_site import modules_host, modules_site, modules_wish
from stellwerk.stack.production import refuse_unfit
from stellwerk.stack.transport import transport_of

TLS_VERSIONS = {"1.2": "tls1.2", "1.3": "tls1.3"}


def edge_variables(given: Settings, port: int, modules_port: int) -> dict[str, str]:
    """What stands on top of the Caddyfile; raises ConfigurationError as `transport_of` does."""
    transport = transport_of(given)
    caddy = str(given.home.absolute() / "caddy")
    return {
        "EDGE_CONFIG": str(shipped("deploy/Caddyfile")),
        "EDGE_BIND": given.host,
        "EDGE_SITE": transport.site(port),
        "EDGE_MODULES_BIND": modules_host(given),
        "EDGE_MODULES_SITE": modules_site(given, modules_port),
        "EDGE_TLS": transport.kind.value,
        "EDGE_TLS_OLDEST": TLS_VERSIONS[given.tls_oldest.value],
        "EDGE_CERTIFICATE": str(transport.certificate or ""),
        "EDGE_CERTIFICATE_KEY": str(transport.key or ""),
        "EDGE_TRUSTED_PROXIES": " ".join(map(str, given.trusted_proxies)),
        "STELLWERK_EDGE_TOKEN": given.edge_token.get_secret_value() or "none",
        "STELLWERK_WEB_ADDRESS": given.web_address,
        "STELLWERK_REALTIME_PORT": str(given.realtime_port),
        "STELLWERK_GATEWAY_PORT": str(given.gateway_port),
        "CADDY_ADMIN": "off",
        "XDG_DATA_HOME": caddy,
        "XDG_CONFIG_HOME": caddy,
    }


def main() -> None:
    """Give this process to Caddy; what the environment says already stands."""
    given = settings()
    refuse_unfit(given)
    known = {name: value for name, value in environment().items() if value}
    port = transport_of(given).port
    wish = modules_wish(given)
    env = {**edge_variables(given, port, wish.port if wish else port), **known}
    _become_caddy(env)


def _become_caddy(env: Mapping[str, str]) -> None:
    search = sysconfig.get_path("scripts") + pathsep + env.get("PATH", "")
    command = ["caddy", "run", "--config", env["EDGE_CONFIG"], "--adapter", "caddyfile"]
    os.execvpe("caddy", command, {**env, "PATH": search})  # noqa: S606, S607  no shell; beside us


if __name__ == "__main__":
    main()
