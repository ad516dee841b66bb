"""Writes how the trunk is, for the breaker and for those who look after the platform."""

import asyncio

from sqlalchemy import select

from stellwerk.calls import breaker
from stellwerk.calls.model import CallTrunk
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import Trunk, TrunkHealth
from stellwerk_workers.telephony.election import Lease


async def check(runtime: Runtime, trunk: Trunk, lease: Lease) -> bool:
    """Ask the trunk and write it down; whether there is a connection. Raises SQLAlchemyError."""
    health = await trunk.check()
    await asyncio.to_thread(_write, runtime, trunk.name, lease, health)
    return health.is_connected


def _write(runtime: Runtime, trunk: str, lease: Lease, health: TrunkHealth) -> None:
    fence = select(CallTrunk.fence).where(CallTrunk.name == trunk)
    with runtime.sessions.begin() as session:
        if session.scalar(fence) == lease.fence:
            breaker.checked(session, runtime, trunk, health)
