"""Access tokens: JWTs after RFC 9068, signed with HS256."""

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
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

_MIN_KEY_BYTES = 32  # RFC 7518, 3.2: as long as the hash
SOUGHT_EVERY_S = 1.0  # keys that tokens name, and that are not known here: anybody names some
SIGNS_ON_FOR_S = 2.0  # with the key known here, after another process made the next

_KID = re.compile(r"[0-9a-f]{8}")
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


class SigningKey:
    """A key that signs tokens; `kid` tells it apart from others, `until` is when it ends.

    Raises ConfigurationError where it is too short.
    """

    def __init__(self, secret: str, until: float | None = None) -> None:
        if len(secret.encode()) < _MIN_KEY_BYTES:
            message = (
                f"STELLWERK_JWT_SECRET_KEY needs at least {_MIN_KEY_BYTES} bytes, such as the "
                "output of `openssl rand -hex 32`."
            )
            raise ConfigurationError(message)
        self.secret = secret
        self.until = until  # seconds since 1970; None: it signs still
        self.kid = hashlib.sha256(secret.encode()).hexdigest()[:8]

    def is_over(self) -> bool:
        """Whether every token that it signed has ended."""
        return self.until is not None and self.until <= time.time()


class Tokens:
    """Signs and verifies access tokens.

    `ring` reads all keys, the newest last. It is asked where a token names a key that is not known
    here, and before a token is signed, each time unless it was so a moment ago.
    """

    def __init__(
        self, signing_key: str, ring: Callable[[], Sequence[SigningKey]] | None = None
    ) -> None:
        self._keys = [SigningKey(signing_key)]
        self._ring = ring
        self._read_at = self._sought_at = float("-inf")

    def refresh(self, *, older_than_s: float) -> None:
        """Read the keys again, unless they were read so lately."""
        if self._ring and time.monotonic() - self._read_at > older_than_s:
            self._keys = list(self._ring())
            self._read_at = time.monotonic()

    def sign(
        self,
        user_id: int,
        session_id: UUID,
        expires_at: datetime,
        audience: Audience = Audience.API,
    ) -> str:
        """An access token for a session."""
        self.refresh(older_than_s=SIGNS_ON_FOR_S)
        key = self._keys[-1]
        claims = {
            "iss": ISSUER,
            "aud": _AUD[audience],
            "sub": str(user_id),
            "sid": str(session_id),
            "iat": utc_now(),
            "exp": expires_at,
            "jti": uuid4().hex,
        }
        headers = {"typ": TYPE, "kid": key.kid}
        return jwt.encode(claims, key.secret, algorithm=ALGORITHM, headers=headers)

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
            self._key_of(token).secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": _CLAIMS},
        )
        if whole["header"].get("typ") != TYPE:
            raise jwt.InvalidTokenError("typ")
        claims: dict[str, Any] = whole["payload"]
        return claims

    def _key_of(self, token: str) -> SigningKey:
        kid = str(jwt.get_unverified_header(token).get("kid"))
        known = self._standing(kid)
        if known is None and _KID.fullmatch(kid):
            self._seek()  # another process may have made it just now
            known = self._standing(kid)
        if known is None:
            raise jwt.InvalidTokenError("kid")
        return known

    def _seek(self) -> None:
        now = time.monotonic()
        if now - self._sought_at > SOUGHT_EVERY_S:
            self._sought_at = now
            self.refresh(older_than_s=0)

    def _standing(self, kid: str) -> SigningKey | None:
        return next((key for key in self._keys if key.kid == kid and not key.is_over()), None)


def _audience(aud: Any) -> Audience:
    for audience, whole in _AUD.items():
        if aud == whole:
            return audience
    raise jwt.InvalidAudienceError(str(aud))


def session_named_in(token: str) -> str:
    """Which session a token says it is of, which proves nothing; empty for what is no token."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return ""
    return str(claims.get("sid", ""))


def expired() -> NotAuthenticated:
    """The refusal of a token whose time is over."""
    message = "The access token has expired. Renew it with POST /api/v1/auth/refresh."
    return NotAuthenticated(message, code=ErrorCode.TOKEN_EXPIRED)
