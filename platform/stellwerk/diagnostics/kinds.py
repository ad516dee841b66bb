"""The ways diagnostics operations can go wrong when asked to."""

from enum import StrEnum


class ErrorKind(StrEnum):
    """What is raised."""

    RETRYABLE = "retryable"  # ProviderUnavailable
    REJECTED = "rejected"  # ProviderRejected
    FINAL = "final"  # JobFailed
    BUG = "bug"  # an exception nobody expected
    HANG = "hang"  # it goes on and hears nothing, until its process is killed
    CRASH = "crash"  # the worker process kills itself


class CrashAt(StrEnum):
    """Where the first attempt of `diagnostics.effect` kills its worker process."""

    BEFORE_CALL = "before_call"  # the intent is stored, the outside world knows of nothing
    AFTER_CALL = "after_call"  # it happened, and its outcome is not stored


class Then(StrEnum):
    """What `diagnostics.undo` does after its steps."""

    FAIL = "fail"  # JobFailed
    RETRY = "retry"  # an outage that lasts for minutes
    WAIT = "wait"  # for the signal `keep`, with which it completes
    WORK = "work"  # until it is stopped
    HANG = "hang"  # it hears nothing, until its process is killed
    CRASH = "crash"  # each of its attempts kills its worker process
