"""`python -m stellwerk.stack.container_manager`: serves until SIGTERM or SIGINT."""

import signal
import sys
from typing import NoReturn

import structlog

from stellwerk.errors import ConfigurationError
from stellwerk.logs import configure_logs
from stellwerk.settings import Settings, settings
from stellwerk.stack.container_manager.server import Options, server
from stellwerk.stack.container_manager.services import Limits, Rules

log = structlog.get_logger()


def options_of(given: Settings) -> Options:
    """What the settings say; raises ConfigurationError where one is missing."""
    if given.modules_dir is None:
        raise ConfigurationError("STELLWERK_MODULES_DIR is not set: no folder may be mounted.")
    most = Limits(given.module_memory_mb * 1024**2, given.module_cpus, given.module_processes)
    first = given.module_users_from
    rules = Rules(
        given.swarm_stack,
        given.swarm_network,
        given.modules_dir.absolute(),
        most,
        users=range(first, first + given.module_instances),
    )
    return Options(
        listen=given.container_manager_listen,
        docker=given.container_manager_docker,
        timeout_s=given.swarm_timeout_s,
        rules=rules,
        token=given.swarm_token.get_secret_value(),
    )


def main() -> None:
    """Serve."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        given = settings()
        configure_logs(given, role="container_manager", forks=False)
        options = options_of(given)
        with server(options) as serving:
            log.info("listening", at=options.listen, docker=options.docker)
            serving.serve_forever()
    except ConfigurationError as exc:
        sys.exit(f"error: {exc.message}")


def _end(*_: object) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
