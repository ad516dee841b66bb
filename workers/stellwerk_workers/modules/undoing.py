"""Rolls back what was put into place: what no instance that is written down uses goes away."""

from typing import Any

from stellwerk.jobs.context import JobContext
from stellwerk.modules import slots
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.services import Place
from stellwerk.providers.services.removal import remove_tree
from stellwerk_workers.handlers import undoes
from stellwerk_workers.modules.placing import Found, staging


def undo_services(ctx: JobContext, found: Found) -> None:
    """Remove services that are not those of their instances."""
    for place in found.places:
        name = place.service(ctx.runtime.settings)
        row = _row(ctx, place)
        if row is None or row.service != name:
            ctx.runtime.providers.services.remove(name)


def undo_the_rest(operation: str) -> None:
    """Register what is undone alike, whichever operation puts a version into place."""
    undoes(operation, "unpack")(_remove_folders)
    undoes(operation, "download")(_remove_archive)
    undoes(operation, "verify")(look_again)
    undoes(operation, "health")(look_again)


def look_again(ctx: JobContext, output: Any) -> None:
    """It made nothing; when the job is tried again it is done anew."""
    del ctx, output


def _remove_folders(ctx: JobContext, output: Any) -> None:
    """Releases that are not those of their instances, and folders of nobody."""
    del output
    found = found_again(ctx)
    for place in found.places + found.resting if found else ():
        path = place.path(ctx.runtime.settings)
        row = _row(ctx, place)
        if row is None:
            remove_tree(path)
        elif row.release != place.release:
            remove_tree(path / place.release)


def _remove_archive(ctx: JobContext, output: Any) -> None:
    """What was collected."""
    del output
    remove_tree(staging(ctx))


def undo_slot(ctx: JobContext, instance_id: str) -> None:
    """Give the place of an instance back that did not come to be."""
    with ctx.transaction() as session:
        if session.get(ModuleInstance, instance_id) is None:
            slots.release(session, instance_id)


def _row(ctx: JobContext, place: Place) -> ModuleInstance | None:
    with ctx.runtime.sessions() as session:
        return session.get(ModuleInstance, place.instance_id)


def found_again(ctx: JobContext) -> Found | None:
    """What the first step stored; None where it did not come to that."""
    known = ctx.recorded("resolve")
    return Found.read(known.output) if known and known.output else None
