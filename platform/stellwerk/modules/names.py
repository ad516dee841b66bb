"""What modules, repositories and instances may be called."""

import re
from uuid import UUID

from stellwerk.errors import FieldError, InvalidInput

NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,39}$"
INSTANCE_ID = r"^[0-9a-f]{32}$"
NAME_RULE = "1 to 40 letters, digits, _ and -, the first a letter."

# The first segments of our own addresses: no page of a module may look like one of them.
RESERVED = frozenset(
    {
        "admin",
        "api",
        "auth",
        "call",
        "call-history",
        "call-status",
        "flower",
        "modules",
        "privacy",
        "repositories",
        "repository",
        "ws",
    }
)


def is_name(text: str) -> bool:
    """Whether a module may be called so."""
    return bool(re.fullmatch(NAME, text)) and text.lower() not in RESERVED


def require_name(text: str, field: str = "module_name") -> str:
    """The name; raises InvalidInput for one that no module may have."""
    if is_name(text):
        return text
    reason = "Is an address of the platform." if text.lower() in RESERVED else NAME_RULE
    message = f"No module can be called {text[:80]!r}."
    raise InvalidInput(message, errors=[FieldError(field, reason)])


def instance_id_of(job_id: UUID) -> str:
    """The id of the instance that a job makes, however often it is attempted."""
    return job_id.hex


def folder_name(module_name: str, instance_id: str) -> str:
    """The name of an instance's folder below the folder of all modules."""
    return f"{module_name}_{instance_id}"


def service_name(stack: str, module_name: str, instance_id: str, generation: int = 1) -> str:
    """The name of what runs an instance; an update starts the next generation beside it."""
    name = f"{stack}_{module_name}_{instance_id}"
    return name if generation == 1 else f"{name}_{generation}"
