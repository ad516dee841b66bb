"""The states of an instance, and what it ought to be."""

from enum import StrEnum


class InstanceStatus(StrEnum):
    """What an instance is, as last seen. Each may follow each: services do as they please."""

    INSTALLED = "installed"  # its service is starting, and was not found healthy yet
    RUNNING = "running"
    STOPPED = "stopped"  # because it was asked for
    ERROR = "error"  # it ought to run, and does not or is not healthy


class Wanted(StrEnum):
    """What an instance ought to be."""

    RUNNING = "running"
    STOPPED = "stopped"
