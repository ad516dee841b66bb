"""The health check that Docker runs inside a module's container."""

from typing import Any

from stellwerk.errors import ProviderRejected
from stellwerk.providers.services.protocol import HealthCheck, ServiceSpec

NS = 1_000_000_000
SHORTEST_INTERVAL_S = 1.0  # each check starts a program in the container

# http.client takes four times as long to load as the whole check.
PROGRAM = """\
import socket, sys
port, path, timeout_s = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
with socket.create_connection(("127.0.0.1", port), timeout_s) as s:
    s.settimeout(timeout_s)
    s.sendall(f"GET {path} HTTP/1.0\\r\\nHost: 127.0.0.1:{port}\\r\\n\\r\\n".encode())
    line = s.makefile("rb").readline(200).split()
sys.exit(0 if line[1][:1] in b"23" else f"{path} answered {line[1].decode()}")
"""


def health_check(spec: ServiceSpec) -> dict[str, Any]:
    """Docker's form of the check."""
    check = spec.health
    return {
        "Test": ["CMD", *(check.command or _get(check, spec.port))],
        "Interval": nanoseconds(max(check.interval_s, SHORTEST_INTERVAL_S)),
        "Timeout": nanoseconds(max(check.timeout_s, SHORTEST_INTERVAL_S)),
        "Retries": max(check.retries, 1),
        "StartPeriod": nanoseconds(check.start_period_s),
    }


def require_check(spec: ServiceSpec) -> None:
    """Raise ProviderRejected for an image of its own without a command to check it."""
    if spec.image and not spec.health.command:
        message = (
            f"{spec.module_name} comes as an image: its health check has to be a command "
            "in it, since nothing is known of what else the image holds."
        )
        raise ProviderRejected(message)


def unhealthy_after_s(check: HealthCheck) -> float:
    """How long a service that never answers is taken for one that starts, at most."""
    return check.start_period_s + max(check.retries, 1) * (check.interval_s + check.timeout_s)


def nanoseconds(seconds: float) -> int:
    """Docker's unit of time."""
    return int(seconds * NS)


def _get(check: HealthCheck, port: int) -> tuple[str, ...]:
    arguments = (str(port), check.path, f"{max(check.timeout_s, SHORTEST_INTERVAL_S):g}")
    return ("python3", "-I", "-S", "-c", PROGRAM, *arguments)
