"""Signed-in users, put straight into the ledger: passwords take longer than what is measured."""

from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex

from benchmarks.stage import Stage
from stellwerk.clock import utc_now
from stellwerk.identity import sessions
from stellwerk.identity.model import User
from stellwerk.identity.permissions import Audience, Role
from stellwerk.identity.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an access token that outlives every measurement."""

    user_id: int
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What makes a request theirs."""
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}


def sign_in(
    stage: Stage, count: int = 1, *, role: Role = Role.USER, audience: Audience = Audience.API
) -> list[Person]:
    """New people of the highest tier."""
    tokens = Tokens(stage.settings.signing_key())
    expires_at = utc_now() + timedelta(seconds=stage.settings.access_token_ttl_s)
    people = []
    with stage.platform.runtime.sessions.begin() as session:
        for _ in range(count):
            name = token_hex(6)
            user = User(
                email=f"{name}@example.com",
                username=name,
                password_hash="!",  # noqa: S106  nobody can sign in with it
                subscription_tier="enterprise",
                role=role.value,
            )
            session.add(user)
            session.flush()
            session_id = sessions.start(session, user.id, expires_at, audience)
            token = tokens.sign(user.id, session_id, expires_at, audience)
            people.append(Person(user.id, token))
    return people
