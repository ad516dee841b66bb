"""The operations on modules: one at a time for each of them."""

from typing import Any

from marshmallow import Schema

from stellwerk.jobs.operation import Operation, RetryPolicy, Scope, Step
from stellwerk.modules import given_secrets, service
from stellwerk.modules.claims import Check, Claim, release
from stellwerk.modules.schemas import (
    InstalledResult,
    InstallInstancePayload,
    InstallPayload,
    InstancePayload,
    InstanceResult,
    NoPayload,
    ReconciledResult,
    RemovedResult,
    RemoveInstancePayload,
    SyncedResult,
    SyncPayload,
    UninstallPayload,
    UpdatedResult,
    UpdatePayload,
)

MANAGE = "modules:manage"
_RETRY = RetryPolicy(max_attempts=4, base_s=1, max_s=30)

# The share of each step is its part of the progress: 5, 35, 45, 60, 80, 95, 100.
_INTO_PLACE = (
    Step("resolve", 5, undo=True),
    Step("download", 30, undo=True),
    Step("verify", 10, undo=True),
    Step("unpack", 15, undo=True),
    Step("create service", 20, undo=True),
    Step("health", 15, undo=True),
)

_OUT_OF_PLACE = (Step("close", 10), Step("remove services", 60), Step("remove files", 30))
_LONG_S, _SHORT_S = 1800, 600


def _on_a_module(
    verb: str, summary: str, payload: type[Schema], result: type[Schema], check: Check, **more: Any
) -> Operation:
    """What they have in common: each has its module for itself, and is an operator's."""
    claim = Claim(check)
    return Operation(
        name=f"modules.{verb}",
        summary=summary,
        payload=payload,
        result=result,
        queue="long",
        permission=MANAGE,
        scope=Scope.OPERATOR,
        retry=_RETRY,
        on_accept=claim.accept,
        on_end=release,
        on_requeue=claim.accept_again,
        **more,
    )


INSTALL = _on_a_module(
    "install",
    "Install a module, with what it needs, as a running service",
    InstallPayload,
    InstalledResult,
    service.check_install,
    time_limit_s=_LONG_S,
    steps=(*_INTO_PLACE, Step("register", 5, undo=True)),
    secrets=(given_secrets.SECRETS,),
)

INSTALL_INSTANCE = _on_a_module(
    "install_instance",
    "Run one more instance of an installed module",
    InstallInstancePayload,
    InstalledResult,
    service.check_installed,
    time_limit_s=_LONG_S,
    steps=(*_INTO_PLACE, Step("register", 5, undo=True)),
    secrets=(given_secrets.SECRETS,),
)

UPDATE = _on_a_module(
    "update",
    "Update a module's instances: new ones beside the old, then instead of them",
    UpdatePayload,
    UpdatedResult,
    service.check_update,
    time_limit_s=_LONG_S,
    steps=(*_INTO_PLACE, Step("switch", 5, undo=True)),
)

UNINSTALL = _on_a_module(
    "uninstall",
    "Remove a module with all of its instances",
    UninstallPayload,
    RemovedResult,
    service.check_uninstall,
    time_limit_s=_SHORT_S,
    steps=_OUT_OF_PLACE,
)

REMOVE_INSTANCE = _on_a_module(
    "remove_instance",
    "Remove an instance that is not the primary one",
    RemoveInstancePayload,
    RemovedResult,
    service.check_removable,
    time_limit_s=_SHORT_S,
    steps=_OUT_OF_PLACE,
)


def _control(verb: str, summary: str) -> Operation:
    return _on_a_module(
        verb,
        summary,
        InstancePayload,
        InstanceResult,
        service.check_instance,
        time_limit_s=_SHORT_S,
    )


START = _control("start", "Start an instance of a module")
STOP = _control("stop", "Stop an instance of a module")
RESTART = _control("restart", "Restart an instance, with its present variables")

SYNC = Operation(
    name="modules.sync",
    summary="Read a repository's index now",
    payload=SyncPayload,
    result=SyncedResult,
    queue="short",
    permission=MANAGE,
    scope=Scope.OPERATOR,
    time_limit_s=120,
    retry=RetryPolicy(max_attempts=3, base_s=2, max_s=30),
    unique_key=lambda payload: str(payload["repository_id"]),
)

RECONCILE = Operation(
    name="modules.reconcile",
    summary="Compare what runs with what ought to, and mend it",
    payload=NoPayload,
    result=ReconciledResult,
    queue="long",  # its workers alone may be those who start services, and read of them
    permission=MANAGE,
    scope=Scope.OPERATOR,
    time_limit_s=300,
    retry=RetryPolicy(max_attempts=1),
    unique_key=lambda _: "one",
    is_internal=True,
    on_end=release,
)

OPERATIONS = (
    INSTALL,
    INSTALL_INSTANCE,
    UPDATE,
    UNINSTALL,
    REMOVE_INSTANCE,
    START,
    STOP,
    RESTART,
    SYNC,
    RECONCILE,
)
