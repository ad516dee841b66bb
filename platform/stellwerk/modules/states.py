"""The states of an instance, and which comes after which."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class InstanceStatus(StrEnum):
    """What an instance is, as last seen."""

    INSTALLED = "installed"  # nobody has looked yet
    RUNNING = "running"
    STOPPED = "stopped"  # because it was asked for
    ERROR = "error"  # it ought to run, and does not or is not healthy


class Wanted(StrEnum):
    """What an instance ought to be."""

    RUNNING = "running"
    STOPPED = "stopped"


MOVES: Mapping[InstanceStatus, frozenset[InstanceStatus]] = MappingProxyType(
    {
        InstanceStatus.INSTALLED: frozenset(InstanceStatus) - {InstanceStatus.INSTALLED},
        InstanceStatus.RUNNING: frozenset({InstanceStatus.STOPPED, InstanceStatus.ERROR}),
        InstanceStatus.STOPPED: frozenset({InstanceStatus.RUNNING, InstanceStatus.ERROR}),
        InstanceStatus.ERROR: frozenset({InstanceStatus.RUNNING, InstanceStatus.STOPPED}),
    }
)
