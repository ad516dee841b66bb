"""Whose service it is: the names and the folders of one instance."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stellwerk.module_names import NAME
from stellwerk.providers.services.swarm import labels
from stellwerk.stack.container_manager.shapes import text

INSTANCE_ID = r"[0-9a-f]{32}"
GENERATION = r"(_[1-9]\d{0,3})?"
RELEASES, DATA = "releases", "data"


@dataclass(frozen=True, slots=True)
class Instance:
    """One that labels name; of nobody, nothing is allowed."""

    service: str  # its first name, before any update
    folder: Path | None

    def is_name(self, given: Any) -> bool:
        """Whether its service may be called so."""
        return self.folder is not None and text(re.escape(self.service) + GENERATION)(given)

    def is_release(self, given: Any) -> bool:
        """Whether a folder is one of its versions, also after links were followed."""
        found = _resolved(given)
        return (
            found is not None and self.folder is not None and found.parent == self.folder / RELEASES
        )

    def is_data(self, given: Any) -> bool:
        """The same of its data."""
        found = _resolved(given)
        return found is not None and self.folder is not None and found == self.folder / DATA


def instance_of(written: Any, stack: str, modules_dir: Path) -> Instance:
    """The one that these labels name."""
    told = written if isinstance(written, Mapping) else {}
    module, instance_id = told.get(labels.MODULE), told.get(labels.INSTANCE)
    if not text(NAME)(module) or not text(INSTANCE_ID)(instance_id):
        return Instance("", None)
    name = f"{module}_{instance_id}"
    return Instance(f"{stack}_{name}", modules_dir.resolve() / name)


def _resolved(given: Any) -> Path | None:
    if not text(r"/[^\0]*")(given) or ".." in Path(given).parts or not Path(given).is_dir():
        return None
    return Path(given).resolve()
