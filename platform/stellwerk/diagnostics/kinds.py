"""The ways `diagnostics.fail` can fail."""

from enum import StrEnum


class ErrorKind(StrEnum):
    """What is raised."""

    RETRYABLE = "retryable"  # ProviderUnavailable
    REJECTED = "rejected"  # ProviderRejected
    FINAL = "final"  # JobFailed
    BUG = "bug"  # an exception nobody expected
    CRASH = "crash"  # the worker process kills itself
