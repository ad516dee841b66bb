"""Which version of which repository is meant, and what it needs before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from stellwerk.errors import Conflict, ErrorCode, InvalidInput, NotFound
from stellwerk.modules import indices
from stellwerk.modules.indices import Offer
from stellwerk.modules.model import Module
from stellwerk.providers.repositories.versions import Dependency, dependency, ordered


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    module_name: str
    version: str | None = None
    repository_id: int | None = None


def choose(offers: Sequence[Offer], wanted: Wanted) -> Offer:
    """The newest version that is meant, from the first repository that has it.

    Raises NotFound, and Conflict (MODULE_AMBIGUOUS) where repositories have different things under
    one name.
    """
    named = [
        one
        for one in offers
        if one.name == wanted.module_name and wanted.repository_id in {None, one.repository_id}
    ]
    meant = [one for one in named if wanted.version in {None, one.version}]
    if not meant:
        raise NotFound(_unknown(named, wanted))
    newest = [_newest(meant, repository) for repository in _repositories(meant)]
    if len({(one.version, one.entry.sha256, one.entry.image) for one in newest}) > 1:
        raise _ambiguous(wanted, newest)
    return newest[0]


def find(session: Session, wanted: Wanted) -> Offer:
    """The same of all that repositories have."""
    offers = indices.offers(session, wanted.repository_id, names=(wanted.module_name,))
    return choose(offers, wanted)


def _newest(offers: Sequence[Offer], repository_id: int) -> Offer:
    own = [one for one in offers if one.repository_id == repository_id]
    return max(own, key=lambda one: ordered(one.version))


def _repositories(offers: Sequence[Offer]) -> list[int]:
    return list(dict.fromkeys(one.repository_id for one in offers))


def _unknown(named: Sequence[Offer], wanted: Wanted) -> str:
    if named:
        there = ", ".join(sorted({one.version for one in named}, key=ordered))
        return f"There is no version {wanted.version} of {wanted.module_name}, but {there}."
    where = f" in repository {wanted.repository_id}" if wanted.repository_id else ""
    hint = "GET /api/v1/repository/modules lists them."
    return f"There is no module {wanted.module_name}{where}. {hint}"


def _ambiguous(wanted: Wanted, newest: Sequence[Offer]) -> Conflict:
    candidates = [
        {
            "repository_id": one.repository_id,
            "repository": one.repository,
            "version": one.version,
        }
        for one in newest
    ]
    message = f"Repositories have different things called {wanted.module_name}. Name one of them."
    details = {"candidates": candidates}
    return Conflict(message, code=ErrorCode.MODULE_AMBIGUOUS, details=details)


def missing(session: Session, offer: Offer) -> list[Wanted]:
    """What has to be installed before, in order: only what is not there yet.

    Raises NotFound for a dependency that nobody offers, InvalidInput (MODULE_CYCLE), and Conflict
    (MODULE_NEEDED) where a version that is installed, or that another one needs, will not do.
    """
    rows = session.execute(select(Module.name, Module.version))
    installed = {row.name: row.version for row in rows}
    search = _Search(session, installed)
    search.visit(offer, ())
    return search.found


class _Search:
    """Depth first, so that what is needed comes before what needs it."""

    def __init__(self, session: Session, installed: Mapping[str, str]) -> None:
        self.found: list[Wanted] = []
        self._asked: dict[str, str] = {}  # for each of these: who needs what of it
        self._session = session
        self._installed = installed

    def visit(self, offer: Offer, path: tuple[str, ...]) -> None:
        """Find what an offer needs."""
        path = (*path, offer.entry.name)
        for written in offer.entry.dependencies:
            self._need(dependency(written), written, path)

    def _need(self, needed: Dependency, written: str, path: tuple[str, ...]) -> None:
        if needed.name in path:
            circle = " -> ".join((*path[path.index(needed.name) :], needed.name))
            message = f"These modules need each other: {circle}."
            raise InvalidInput(message, code=ErrorCode.MODULE_CYCLE)
        present = self._installed.get(needed.name)
        if present is not None:
            _require_fit(needed, written, present, path[-1])
            return
        asked = f"{path[-1]} needs {written}"
        chosen = next((one for one in self.found if one.module_name == needed.name), None)
        if chosen is not None:
            _require_same(needed, asked, chosen, self._asked[needed.name])
            return
        self._find(needed, asked, path)

    def _find(self, needed: Dependency, asked: str, path: tuple[str, ...]) -> None:
        named = indices.offers(self._session, names=(needed.name,))
        fitting = [one for one in named if needed.admits(one.version)]
        if not fitting:
            raise NotFound(f"{asked}, which no repository has.")
        chosen = choose(fitting, Wanted(needed.name))
        self.visit(chosen, path)
        self._asked[needed.name] = asked
        self.found.append(Wanted(needed.name, chosen.entry.version, chosen.repository_id))


def _require_fit(needed: Dependency, written: str, present: str, by: str) -> None:
    if not needed.admits(present):
        message = f"{by} needs {written}, but {present} is installed. Update {needed.name} first."
        raise Conflict(message, code=ErrorCode.MODULE_NEEDED)


def _require_same(needed: Dependency, asked: str, chosen: Wanted, before: str) -> None:
    version = str(chosen.version)
    if not needed.admits(version):
        message = f"{before} (of which {version} is the newest), but {asked}."
        hint = f"Install a version of {needed.name} first that does for both."
        raise Conflict(f"{message} {hint}", code=ErrorCode.MODULE_NEEDED)


def dependents(session: Session, module_name: str) -> list[str]:
    """Installed modules that need this one."""
    rows = session.execute(select(Module.name, Module.entry["dependencies"]))
    return sorted(
        name
        for name, needs in rows
        if any(dependency(written).name == module_name for written in needs or ())
    )


def refuse_unfit(session: Session, module_name: str, version: str) -> None:
    """Raise Conflict (MODULE_NEEDED) for a version that installed modules cannot use."""
    rows = session.execute(select(Module.name, Module.entry["dependencies"]))
    unfit = sorted(
        row.name
        for row in rows
        for needed in map(dependency, row[1] or ())
        if needed.name == module_name and not needed.admits(version)
    )
    if unfit:
        message = f"{', '.join(unfit)} cannot use {module_name} {version}."
        raise Conflict(message, code=ErrorCode.MODULE_NEEDED, details={"modules": unfit})


def refuse_needed(session: Session, module_name: str) -> None:
    """Raise Conflict (MODULE_NEEDED) for a module that others need."""
    others = dependents(session, module_name)
    if others:
        message = f"{module_name} is needed by {', '.join(others)}. Remove these first."
        raise Conflict(message, code=ErrorCode.MODULE_NEEDED, details={"modules": others})
