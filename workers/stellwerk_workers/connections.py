"""Handlers of what is done about connected accounts."""

from typing import Any

from stellwerk.connections.model import ConnectionStatus, OauthConnection
from stellwerk.connections.operations import REVOCATION
from stellwerk.connections.partings import parting
from stellwerk.connections.servers import server
from stellwerk.connections.tokens import TELL_LOST
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
    """Tell whoever watches; the job's end is told to the user's webhooks like any other."""
    with ctx.runtime.sessions() as session:
        row = session.get(OauthConnection, payload["connection_id"])
    if row is None or row.status == ConnectionStatus.ACTIVE:
        return {"provider": None, "channel_id": None, "reason": None}
    reason = "renewal_cut_short" if payload["was_cut_short"] else "withdrawn"
    said = {"provider": row.provider, "channel_id": row.channel_id, "reason": reason}
    ctx.emit(LOST, said)
    return said
