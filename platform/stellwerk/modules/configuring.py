"""An instance's own variables and secrets, and which instance is the primary one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record
from stellwerk.errors import Conflict, FieldError, InvalidInput
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules import leading, queries, service, telling
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.schemas import MOST_VARIABLES, TWICE
from stellwerk.modules.services import sealed_secrets, secrets_of
from stellwerk.modules.states import InstanceStatus, Wanted

Values = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is set, or with None removed; the rest stays."""

    environment: Values = field(default_factory=dict, repr=False)
    secrets: Values = field(default_factory=dict, repr=False)


def variables(runtime: Runtime, module_name: str, instance_id: str) -> dict[str, Any]:
    """The variables of an instance, and the names of its secrets; raises NotFound."""
    with runtime.sessions() as session:
        return _shown(runtime, service.instance(session, module_name, instance_id))


def configure(
    runtime: Runtime, actor: int, module_name: str, instance_id: str, changes: Changes
) -> dict[str, Any]:
    """Change them; what runs takes them with its next start. Raises NotFound, InvalidInput."""
    _refuse_twice(changes)
    with runtime.sessions.begin() as session:
        row = service.instance(session, module_name, instance_id)
        session.refresh(row, with_for_update=True)
        before = _both(runtime, row)
        after = _changed(before, changes)
        if after != before:
            row.environment, secrets = after
            row.secrets = sealed_secrets(runtime.vault, row.id, secrets)
            _record(session, actor, row, changes)
        is_running = row.wanted == Wanted.RUNNING.value
        needs_restart = after != before and is_running
        return _shown(runtime, row) | {"needs_restart": needs_restart}


def make_primary(runtime: Runtime, actor: int, module_name: str, instance_id: str) -> None:
    """Let the module be reached by this instance; raises NotFound, Conflict where it does not run.

    Requests that are under way end where they began.
    """
    shown = queries.instance(runtime, module_name, instance_id)
    if shown["status"] != InstanceStatus.RUNNING:
        message = f"{instance_id} is {shown['status']} ({shown['health']}); it has to run."
        raise Conflict(f"{message} {shown['message']}".rstrip())
    with runtime.sessions.begin() as session:
        before = service.set_primary(session, module_name, instance_id)
        if service.instance(session, module_name, instance_id).wanted != Wanted.RUNNING.value:
            raise Conflict(f"{instance_id} is being stopped.")
        if before != instance_id:
            record(
                session,
                action=Action.INSTANCE_MADE_PRIMARY,
                actor=actor,
                target=f"instance:{instance_id}",
                details={"module_name": module_name, "before": before},
            )
    leading.lead_soon(runtime)
    telling.tell(runtime, module_name)


Both = tuple[dict[str, str], dict[str, str]]  # variables, and secrets among them


def _both(runtime: Runtime, row: ModuleInstance) -> Both:
    return dict(row.environment), secrets_of(runtime.vault, row)


def _changed(before: Both, changes: Changes) -> Both:
    """What becomes a secret is one alone, and the other way round."""
    environment = _with(before[0], changes.environment, without=changes.secrets)
    secrets = _with(before[1], changes.secrets, without=changes.environment)
    if len(environment) + len(secrets) > MOST_VARIABLES:
        raise InvalidInput(f"An instance has at most {MOST_VARIABLES} variables.")
    return environment, secrets


def _with(present: dict[str, str], changes: Values, *, without: Values) -> dict[str, str]:
    moved = {name for name, value in without.items() if value is not None}
    kept = {name: value for name, value in present.items() if name not in moved | set(changes)}
    return kept | {name: value for name, value in changes.items() if value is not None}


def _refuse_twice(changes: Changes) -> None:
    both = sorted(set(changes.environment) & set(changes.secrets))
    if both:
        errors = [FieldError(f"secrets.{name}", TWICE) for name in both]
        raise InvalidInput("A variable is either secret or not.", errors=errors)


def _shown(runtime: Runtime, row: ModuleInstance) -> dict[str, Any]:
    environment, secrets = _both(runtime, row)
    return {
        "module_name": row.module_name,
        "instance_id": row.id,
        "environment": dict(sorted(environment.items())),
        "secrets": sorted(secrets),
        "defaults": dict(sorted(row.entry.get("environment", {}).items())),
    }


def _record(session: Any, actor: int, row: ModuleInstance, changes: Changes) -> None:
    """By their names alone: any value may be one that nobody else is to read."""
    named = [*changes.environment.items(), *changes.secrets.items()]
    details = {
        "module_name": row.module_name,
        "set": sorted(name for name, value in named if value is not None),
        "unset": sorted(name for name, value in named if value is None),
    }
    record(
        session,
        action=Action.INSTANCE_CONFIGURED,
        actor=actor,
        target=f"instance:{row.id}",
        details=details,
    )
