"""The rules of modules: what is accepted, and what is written down of what was done."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from stellwerk.errors import Conflict, ErrorCode, JobFailed, NotFound
from stellwerk.modules import indices, resolving, slots
from stellwerk.modules.model import Module, ModuleInstance
from stellwerk.modules.resolving import Wanted
from stellwerk.modules.states import Wanted as WantedState
from stellwerk.providers.repositories.protocol import Entry
from stellwerk.providers.repositories.versions import dependency, ordered


def installed(session: Session, module_name: str, *, locked: bool = False) -> Module:
    """An installed module; raises NotFound."""
    query = select(Module).where(Module.name == module_name)
    found = session.scalar(query.with_for_update() if locked else query)
    if found is None:
        raise NotFound(f"The module {module_name} is not installed.")
    return found


def instance(session: Session, module_name: str, instance_id: str) -> ModuleInstance:
    """An instance of a module; raises NotFound."""
    found = session.get(ModuleInstance, instance_id)
    if found is None or found.module_name != module_name:
        raise NotFound(f"The module {module_name} has no instance {instance_id}.")
    return found


def instances(session: Session, module_name: str) -> list[ModuleInstance]:
    """All instances of a module, oldest first."""
    query = select(ModuleInstance).where(ModuleInstance.module_name == module_name)
    return list(session.scalars(query.order_by(ModuleInstance.created_at, ModuleInstance.id)))


# What submissions check


def check_install(session: Session, payload: dict[str, object]) -> None:
    """Raise Conflict for what is there, and what `choose` raises where all indices were read."""
    name = str(payload["module_name"])
    if session.get(Module, name) is not None:
        message = f"{name} is installed. Update it, or install one more instance."
        raise Conflict(message, code=ErrorCode.MODULE_INSTALLED)
    _check_offered(session, payload)


def check_update(session: Session, payload: dict[str, object]) -> None:
    """Raise NotFound, or Conflict where the version that is meant runs already."""
    module = installed(session, str(payload["module_name"]))
    offer = _check_offered(session, payload, module)
    if offer is not None:
        refuse_update(session, module, wanted_of(payload, module), offer)


def refuse_update(session: Session, module: Module, wanted: Wanted, offer: indices.Offer) -> None:
    """Raise Conflict (MODULE_UP_TO_DATE) for what is installed, or is older and was not named.

    Also (MODULE_NEEDED) for a version that other installed modules cannot use.
    """
    same = (offer.entry.version, offer.entry.sha256)
    if same == (module.version, module.entry.get("sha256")):
        message = f"{module.name} {module.version} is installed already."
        raise Conflict(message, code=ErrorCode.MODULE_UP_TO_DATE)
    if wanted.version is None and ordered(offer.version) < ordered(module.version):
        message = f"{module.name} {module.version} is newer than {offer.version}, the newest there."
        raise Conflict(message, code=ErrorCode.MODULE_UP_TO_DATE)
    resolving.refuse_unfit(session, module.name, offer.version)


def require_needs(session: Session, entry: Entry) -> None:
    """Raise JobFailed (MODULE_NEEDED) where what a module needs was removed meanwhile.

    What is there stays so until the transaction ends.
    """
    for needed in map(dependency, entry.dependencies):
        query = select(Module).where(Module.name == needed.name).with_for_update(read=True)
        found = session.scalar(query)
        if found is None or not needed.admits(found.version) or _is_closed(session, found):
            message = f"{entry.name} needs {needed.name}, which was changed or removed meanwhile."
            raise JobFailed(message, code=ErrorCode.MODULE_NEEDED)


def _is_closed(session: Session, module: Module) -> bool:
    """Whether it is being removed, or stopped."""
    row = instance(session, module.name, module.primary_instance_id)
    return row.wanted != WantedState.RUNNING.value


def wanted_of(payload: dict[str, object], module: Module | None = None) -> Wanted:
    """What a payload asks for; an installed module comes from where it came from."""
    repository_id = payload.get("repository_id")
    if repository_id is None and module is not None:
        repository_id = module.repository_id
    version = payload.get("version")
    return Wanted(
        str(payload["module_name"]),
        version if isinstance(version, str) else None,
        repository_id if isinstance(repository_id, int) else None,
    )


def _check_offered(
    session: Session, payload: dict[str, object], module: Module | None = None
) -> indices.Offer | None:
    """What is meant, as far as indices are known; None where one has never been read."""
    wanted = wanted_of(payload, module)
    if wanted.repository_id is not None:
        indices.repository(session, wanted.repository_id)
    if indices.is_unread(session, wanted.repository_id):
        return None
    return resolving.find(session, wanted)


def check_installed(session: Session, payload: dict[str, object]) -> None:
    """Raise NotFound where the module is not installed."""
    installed(session, str(payload["module_name"]))


def check_uninstall(session: Session, payload: dict[str, object]) -> None:
    """Raise NotFound, or Conflict where others need it."""
    name = str(payload["module_name"])
    installed(session, name)
    resolving.refuse_needed(session, name)


def check_instance(session: Session, payload: dict[str, object]) -> None:
    """Raise NotFound where the instance is not there."""
    instance(session, str(payload["module_name"]), str(payload["instance_id"]))


def check_removable(session: Session, payload: dict[str, object]) -> None:
    """Raise NotFound, or Conflict for the primary instance."""
    check_instance(session, payload)
    refuse_primary(session, str(payload["module_name"]), str(payload["instance_id"]))


def refuse_primary(session: Session, module_name: str, instance_id: str) -> None:
    """Raise Conflict (INSTANCE_IS_PRIMARY) for the instance that a module is reached by."""
    if installed(session, module_name).primary_instance_id != instance_id:
        return
    others = len(instances(session, module_name)) > 1
    hint = "Make another the primary one first." if others else "Uninstall the module instead."
    message = f"{instance_id} is the primary instance of {module_name}. {hint}"
    raise Conflict(message, code=ErrorCode.INSTANCE_IS_PRIMARY)


# What operations write down


def set_wanted(session: Session, instance_id: str, wanted: WantedState) -> None:
    """What an instance ought to be from now on."""
    mine = ModuleInstance.id == instance_id
    session.execute(update(ModuleInstance).where(mine).values(wanted=wanted.value))


def set_primary(session: Session, module_name: str, instance_id: str) -> str:
    """By which instance a module is reached; returns the one before. Raises NotFound."""
    module = installed(session, module_name, locked=True)
    instance(session, module_name, instance_id)
    before = module.primary_instance_id
    module.primary_instance_id = instance_id
    module.updated_at = func.now()
    return before


def forget_instance(session: Session, instance_id: str) -> None:
    """An instance is gone, with its place."""
    session.execute(delete(ModuleInstance).where(ModuleInstance.id == instance_id))
    slots.release(session, instance_id)


def forget_module(session: Session, module_name: str) -> None:
    """A module is gone, with all of its instances."""
    for row in instances(session, module_name):
        forget_instance(session, row.id)
    session.execute(delete(Module).where(Module.name == module_name))
