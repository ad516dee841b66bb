"""Access tokens: JWTs after RFC 9068, signed with HS256; API keys: random strings."""

import hashlib
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import jwt

from stellwerk.clock import utc_now
from stellwerk.errors import ConfigurationError, ErrorCode, NotAuthenticated
from stellwerk.identity.permissions import Audience

ALGORITHM = "HS256"
ISSUER = "stellwerk"
AUDIENCE = "stellwerk-api"
TELEPHONY_AUDIENCE = "stellwerk-telephony"
TYPE = "at+jwt"
KEY_PREFIX = "swk_"
KEY_LETTERS = 40
VISIBLE_LETTERS = 12  # of a key, shown to tell it from others

_MIN_KEY_BYTES = 32  # RFC 7518, 3.2: as long as the hash
_CLAIMS = ["sub", "sid", "iat", "exp", "jti", "iss", "aud"]
# The whole `aud` of a session's tokens; any other is refused.
_AUD: Mapping[Audience, str | list[str]] = MappingProxyType(
    {Audience.API: AUDIENCE, Audience.TELEPHONY: [AUDIENCE, TELEPHONY_AUDIENCE]}
)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says."""

    user_id: int
    session_id: UUID
    expires_at: float  # seconds since 1970
    audience: Audience


class Tokens:
    """Signs and verifies access tokens with one key; `kid` tells keys apart."""

    def __init__(self, signing_key: str) -> None:
        if len(signing_key.encode()) < _MIN_KEY_BYTES:
            message = (
                f"STELLWERK_JWT_SECRET_KEY needs at least {_MIN_KEY_BYTES} bytes, such as the "
                "output of `openssl rand -hex 32`."
            )
            raise ConfigurationError(message)
        self._key = signing_key
        self._kid = hashlib.sha256(signing_key.encode()).hexdigest()[:8]

    def sign(
        self,
        user_id: int,
        session_id: UUID,
        expires_at: datetime,
        audience: Audience = Audience.API,
    ) -> str:
        """An access token for a session."""
        claims = {
            "iss": ISSUER,
            "aud": _AUD[audience],
            "sub": str(user_id),
            "sid": str(session_id),
            "iat": utc_now(),
            "exp": expires_at,
            "jti": uuid4().hex,
        }
        headers = {"typ": TYPE, "kid": self._kid}
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers=headers)

    def verify(self, token: str) -> Claims:
        """The token's claims; raises NotAuthenticated (TOKEN_EXPIRED where that is why)."""
        try:
            decoded = self._decoded(token)
            return Claims(
                user_id=int(decoded["sub"]),
                session_id=UUID(decoded["sid"]),
                expires_at=float(decoded["exp"]),
                audience=_audience(decoded["aud"]),
            )
        except jwt.ExpiredSignatureError as exc:
            raise expired() from exc
        except (jwt.InvalidTokenError, ValueError) as exc:
            raise NotAuthenticated("The access token is not valid.") from exc

    def _decoded(self, token: str) -> dict[str, Any]:
        whole = jwt.decode_complete(
            token,
            self._key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": _CLAIMS},
        )
        header = whole["header"]
        if header.get("typ") != TYPE or header.get("kid") != self._kid:
            raise jwt.InvalidTokenError("typ or kid")
        claims: dict[str, Any] = whole["payload"]
        return claims


def _audience(aud: Any) -> Audience:
    for audience, whole in _AUD.items():
        if aud == whole:
            return audience
    raise jwt.InvalidAudienceError(str(aud))


def expired() -> NotAuthenticated:
    """The refusal of a token whose time is over."""
    message = "The access token has expired. Renew it with POST /api/v1/auth/refresh."
    return NotAuthenticated(message, code=ErrorCode.TOKEN_EXPIRED)


def new_key() -> str:
    """A random API key; 40 letters and digits hold 238 bits."""
    letters = string.ascii_letters + string.digits
    return KEY_PREFIX + "".join(secrets.choice(letters) for _ in range(KEY_LETTERS))


def key_hash(key: str) -> str:
    """What is stored of a key: SHA-256 is enough for a secret nobody can guess."""
    return hashlib.sha256(key.encode()).hexdigest()
