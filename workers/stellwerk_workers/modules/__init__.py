"""Handlers of the operations on modules.

What an attempt made is found again by its names, which follow from the job: a later attempt goes
on with it, and a rollback removes what no instance that is written down uses.
"""

from stellwerk_workers.modules import (
    controlling,
    installing,
    reconciling,
    removing,
    syncing,
    updating,
)

__all__ = ["controlling", "installing", "reconciling", "removing", "syncing", "updating"]
