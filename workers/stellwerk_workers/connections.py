"""Handlers of what is done about connected accounts."""

from typing import Any

from stellwerk.connections.flow import invitation
from stellwerk.connections.model import ConnectionStatus, OauthConnection
from stellwerk.connections.operations import REVOCATION
from stellwerk.connections.partings import parting
from stellwerk.connections.servers import server
from stellwerk.connections.tokens import TELL_LOST
from stellwerk.identity.model import User
from stellwerk.jobs.context import JobContext
from stellwerk_workers.handlers import handles

LOST = "connection.lost"


@handles(REVOCATION.name)
def revoke(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Revoke a grant, unless the account's other connections would end with it."""
    with ctx.runtime.sessions() as session:
        found = parting(session, ctx.runtime.vault, payload["revocation_id"])
    if found is None:
        return {"revoked": False}
    asked = server(ctx.runtime, found.provider)
    if asked.revokes_whole_account and found.is_shared:
        return {"revoked": False}
    asked.revoke(found.grant)
    return {"revoked": True}


@handles(TELL_LOST)
def tell_lost(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Tell whoever watches, and the user by mail; webhooks hear of the job's end."""
    with ctx.runtime.sessions() as session:
        row = session.get(OauthConnection, payload["connection_id"])
    if row is None or row.status == ConnectionStatus.ACTIVE:
        return {"provider": None, "channel_id": None, "reason": None, "mailed": False}
    reason = "renewal_cut_short" if payload["was_cut_short"] else "withdrawn"
    said = {"provider": row.provider, "channel_id": row.channel_id, "reason": reason}
    ctx.emit(LOST, said)
    return said | {"mailed": _mailed(ctx, row)}


def _mailed(ctx: JobContext, row: OauthConnection) -> bool:
    """A link that connects again goes to an address only that is known to be the user's."""
    with ctx.transaction() as session:
        user = session.get_one(User, row.user_id)
        if user.email_verified_at is None or not user.is_active:
            return False
        link = invitation(ctx.runtime, session, row)
    variables = {"provider": server(ctx.runtime, row.provider).name, "link": link}
    letter = {"to": user.email, "template": "connection_lost", "variables": variables}
    ctx.submit_child("email.send", letter, key="mail")
    return True
