"""What a request can reach: the process's collaborators."""

from typing import cast

from flask import current_app

from stellwerk.bootstrap import Platform

EXTENSION = "stellwerk"


def platform() -> Platform:
    """The collaborators that `create_app` was given or made."""
    return cast("Platform", current_app.extensions[EXTENSION])
