"""What modules, repositories and instances may be called."""

from uuid import UUID

from stellwerk.errors import FieldError, InvalidInput
from stellwerk.module_names import NAME, NAME_RULE, RESERVED, is_name

__all__ = [
    "INSTANCE_ID",
    "NAME",
    "NAME_RULE",
    "RESERVED",
    "folder_name",
    "instance_id_of",
    "is_name",
    "require_name",
    "service_name",
]

INSTANCE_ID = r"^[0-9a-f]{32}$"


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
