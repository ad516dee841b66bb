"""The operations on modules: one at a time for each of them."""

from stellwerk.jobs.operation import Operation, RetryPolicy, Scope, Step
from stellwerk.modules import given_secrets, service
from stellwerk.modules.claims import Claim, release
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

INSTALL = Operation(
    name="modules.install",
    summary="Install a module, with what it needs, as a running service",
    payload=InstallPayload,
    result=InstalledResult,
    queue="long",
    permission=MANAGE,
    scope=Scope.OPERATOR,
    time_limit_s=1800,
    steps=(*_INTO_PLACE, Step("register", 5, undo=True)),
    retry=_RETRY,
    secrets=(given_secrets.SECRETS,),
    on_accept=Claim(service.check_install).accept,
    on_end=release,
    on_requeue=Claim(service.check_install).accept_again,
)

INSTALL_INSTANCE = Operation(
    name="modules.install_instance",
    summary="Run one more instance of an installed module",
    payload=InstallInstancePayload,
    result=InstalledResult,
    queue="long",
    permission=MANAGE,
    scope=Scope.OPERATOR,
    time_limit_s=1800,
    steps=(*_INTO_PLACE, Step("register", 5, undo=True)),
    retry=_RETRY,
    secrets=(given_secrets.SECRETS,),
    on_accept=Claim(service.check_installed).accept,
    on_end=release,
    on_requeue=Claim(service.check_installed).accept_again,
)

UPDATE = Operation(
    name="modules.update",
    summary="Update a module's instances: new ones beside the old, then instead of them",
    payload=UpdatePayload,
    result=UpdatedResult,
    queue="long",
    permission=MANAGE,
    scope=Scope.OPERATOR,
    time_limit_s=1800,
    steps=(*_INTO_PLACE, Step("switch", 5, undo=True)),
    retry=_RETRY,
    on_accept=Claim(service.check_update).accept,
    on_end=release,
    on_requeue=Claim(service.check_update).accept_again,
)

UNINSTALL = Operation(
    name="modules.uninstall",
    summary="Remove a module with all of its instances",
    payload=UninstallPayload,
    result=RemovedResult,
    queue="long",
    permission=MANAGE,
    scope=Scope.OPERATOR,
    time_limit_s=600,
    steps=(Step("close", 10), Step("remove services", 60), Step("remove files", 30)),
    retry=_RETRY,
    on_accept=Claim(service.check_uninstall).accept,
    on_end=release,
    on_requeue=Claim(service.check_uninstall).accept_again,
)

REMOVE_INSTANCE = Operation(
    name="modules.remove_instance",
    summary="Remove an instance that is not the primary one",
    payload=RemoveInstancePayload,
    result=RemovedResult,
    queue="long",
    permission=MANAGE,
    scope=Scope.OPERATOR,
    time_limit_s=600,
    steps=(Step("close", 10), Step("remove services", 60), Step("remove files", 30)),
    retry=_RETRY,
    on_accept=Claim(service.check_removable).accept,
    on_end=release,
    on_requeue=Claim(service.check_removable).accept_again,
)


def _control(verb: str, summary: str) -> Operation:
    return Operation(
        name=f"modules.{verb}",
        summary=summary,
        payload=InstancePayload,
        result=InstanceResult,
        queue="long",
        permission=MANAGE,
        scope=Scope.OPERATOR,
        time_limit_s=600,
        retry=_RETRY,
        on_accept=Claim(service.check_instance).accept,
        on_end=release,
        on_requeue=Claim(service.check_instance).accept_again,
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
