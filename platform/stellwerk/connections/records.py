"""What is put on record about connections."""

from collections.abc import Iterator
from contextlib import contextmanager

from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.connections.model import OauthState
from stellwerk.errors import StellwerkError
from stellwerk.jobs.runtime import Runtime


def target_of(provider: str) -> str:
    """What an entry is about."""
    return f"connection:{provider}"


@contextmanager
def noting_refusal(runtime: Runtime, began: OauthState) -> Iterator[None]:
    """An error in the block is on record: somebody answered a user's request and was refused."""
    try:
        yield
    except StellwerkError as exc:
        with runtime.sessions.begin() as session:
            record(
                session,
                action=Action.CONNECTION_REFUSED,
                actor=Party.NOBODY,
                subject_user_id=began.user_id,
                target=target_of(began.provider),
                details={"code": exc.code.value},
            )
        raise
