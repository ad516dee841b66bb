"""`/api/v1/audit`."""

from collections.abc import Mapping
from typing import Any

from stellwerk.audit.actions import Action
from stellwerk.audit.queries import EntryFilter, entries
from stellwerk.audit.trail import record
from stellwerk.jobs.operation import Scope
from stellwerk.jobs.queries import API
from stellwerk_api.audit.schemas import AuditPage, AuditQuery
from stellwerk_api.auth import caller, requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.context import platform
from stellwerk_api.pagination import int_cursor, page

audit = Blueprint("audit", url_prefix=f"{API}/audit", description="Who did what.")
BLUEPRINTS = (audit,)


@audit.get("")
@requires("audit:read", scope=Scope.OPERATOR)
@audit.query(AuditQuery)
@audit.answers(200, AuditPage)
@audit.raises(422)
def browse(query: Mapping[str, Any]) -> dict[str, Any]:
    """List what is on record, newest first; that this was read is put on record too."""
    conditions = {name: query[name] for name in _CONDITIONS}
    runtime, limit, before = platform().runtime, query["limit"], int_cursor(query["cursor"])
    wanted = EntryFilter(**conditions, before=before, limit=limit + 1)
    with runtime.sessions.begin() as session:
        found = entries(session, runtime.vault, wanted)
        asked = {name: value for name, value in conditions.items() if value is not None}
        record(
            session,
            action=Action.AUDIT_READ,
            actor=caller().user_id,
            subject_user_id=_about(conditions),
            details=asked,
        )
    return page(found, limit, "sequence")


def _about(conditions: Mapping[str, Any]) -> int | None:
    """Whose entries were asked for: what was asked is readable as long as those are."""
    asked = conditions["subject"] or conditions["actor"] or ""
    return int(asked) if str(asked).isdecimal() else None


_CONDITIONS = ("action", "actor", "subject", "target", "recorded_from", "recorded_to")
