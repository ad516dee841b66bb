"""What commands that need no API put on record by themselves."""

from typing import Any

from stellwerk.audit.actions import Action, Party
from stellwerk.settings import Settings


def put_on_record(settings: Settings, action: Action, target: str, details: dict[str, Any]) -> None:
    """An act of whoever runs commands where the platform is installed."""
    from stellwerk.audit.trail import record  # noqa: PLC0415  heavy, and only needed here
    from stellwerk.cli.databases import opened  # noqa: PLC0415  the same

    with opened(settings) as here, here.sessions.begin() as session:
        actor = Party.COMMAND_LINE
        record(session, action=action, actor=actor, target=target, details=details)
