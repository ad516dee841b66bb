"""Keys of access tokens: that of the settings is the first, and newer ones stand in Postgres."""

import secrets
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.clock import new_id, utc_now
from stellwerk.identity.model import StoredSigningKey
from stellwerk.identity.tokens import SigningKey
from stellwerk.jobs.runtime import Runtime
from stellwerk.settings import Settings
from stellwerk.vault import Vault

BYTES = 48
MARGIN_S = 60  # for processes that still signed with a key when the next one was made


def ring(runtime: Runtime) -> list[SigningKey]:
    """All keys that count, the newest last."""
    with runtime.sessions() as session:
        return keys(session, runtime.settings, runtime.vault)


def keys(session: Session, settings: Settings, vault: Vault) -> list[SigningKey]:
    """The same; each but the last is good until the tokens that it signed have ended."""
    stored = session.scalars(select(StoredSigningKey).order_by(StoredSigningKey.id)).all()
    secrets_in_turn = [settings.signing_key(), *(vault.open(one.sealed) for one in stored)]
    tail_s = settings.longest_token_s() + MARGIN_S
    ends = [one.created_at.timestamp() + tail_s for one in stored]
    return [
        SigningKey(secret, until)
        for secret, until in zip(secrets_in_turn, [*ends, None], strict=True)
    ]


def rotate(session: Session, settings: Settings, vault: Vault) -> Sequence[SigningKey]:
    """Make a key that signs from now on, and forget those whose tokens have all ended."""
    made = SigningKey(secrets.token_urlsafe(BYTES))
    over = {key.kid for key in keys(session, settings, vault) if key.is_over()}
    session.execute(delete(StoredSigningKey).where(StoredSigningKey.kid.in_(over)))
    session.add(
        StoredSigningKey(
            id=new_id(), kid=made.kid, sealed=vault.seal(made.secret), created_at=utc_now()
        )
    )
    record(
        session,
        action=Action.SIGNING_KEY_ROTATED,
        actor=Party.COMMAND_LINE,
        target=f"signing_key:{made.kid}",
    )
    session.flush()
    return keys(session, settings, vault)
