"""Finds out who sends a request: an access token, an API key, or the scrape token."""

import hashlib
import hmac
import time
from datetime import timedelta
from uuid import UUID

from flask import Request

from stellwerk.bootstrap import Platform
from stellwerk.clock import utc_now
from stellwerk.errors import NotAuthenticated
from stellwerk.identity import sessions as ledger
from stellwerk.identity.caller import Caller, scraper, signed_in
from stellwerk.identity.sessions import Standing
from stellwerk.identity.tokens import KEY_PREFIX, Claims, Tokens, expired
from stellwerk.live.sessions import LiveSessions

REMEMBERED_S = 30.0
REMEMBERED_TOKENS = 10_000
CLOCK_MARGIN_S = 120.0  # our clock may differ from that of whoever made a session's id


class Credentials:
    """Turns a request's credentials into its caller. One per process."""

    def __init__(self, platform: Platform) -> None:
        settings = platform.settings
        self.tokens = Tokens(settings.signing_key())
        self.live = LiveSessions(platform.live_client, ttl_s=settings.session_cache_s)
        self._verified = VerifiedTokens(self.tokens)
        self._sessions = platform.runtime.sessions
        self._scrape_token = settings.scrape_token.get_secret_value()
        self._token_ttl_s = settings.access_token_ttl_s

    def caller(self, request: Request) -> Caller:
        """Who it is; raises NotAuthenticated."""
        given = _given(request)
        if given.startswith(KEY_PREFIX):
            return self._of_key(given)
        if self._scrape_token and _same(given, self._scrape_token):
            return scraper()
        return self._of_token(given)

    def end_session(self, session_id: UUID) -> None:
        """Sign out: in Postgres first, then its copy in Redis."""
        with self._sessions.begin() as session:
            ledger.end(session, session_id)
        self.live.end([session_id])

    def _of_key(self, key: str) -> Caller:
        with self._sessions.begin() as session:
            caller = ledger.caller_of_key(session, key)
        if caller is None:
            raise NotAuthenticated("The API key is not valid, or not any more.")
        return caller

    def _of_token(self, token: str) -> Caller:
        claims = self._verified.claims(token)
        standing = self._standing(claims.session_id)
        if standing is None or standing.user_id != claims.user_id:
            raise NotAuthenticated("The session has ended. Sign in again.")
        return signed_in(standing.user_id, standing.role, claims.session_id)

    def _standing(self, session_id: UUID) -> Standing | None:
        """From Redis where its copy can be believed, else from Postgres."""
        copy = self.live.read(session_id)
        if copy.is_swept and (copy.standing or copy.is_ended):
            return copy.standing
        with self._sessions() as session:
            found = ledger.standing(session, session_id)
            started_after = utc_now() - timedelta(seconds=self._token_ttl_s + CLOCK_MARGIN_S)
            must_sweep = copy.is_reachable and not copy.is_swept
            ended = ledger.ended_of(session, started_after=started_after) if must_sweep else ()
        if must_sweep:
            self.live.sweep(ended)
        if found:
            self.live.fill(session_id, found)
        return found


class VerifiedTokens:
    """Remembers for half a minute which tokens were verified; a signature costs more."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._known: dict[bytes, tuple[Claims, float]] = {}

    def claims(self, token: str) -> Claims:
        """The token's claims; raises NotAuthenticated."""
        digest = hashlib.sha256(token.encode()).digest()
        claims, until = self._known.get(digest, (None, 0.0))
        if claims is None or time.monotonic() > until:
            claims = self._tokens.verify(token)
            self._remember(digest, claims)
        if claims.expires_at <= time.time():
            raise expired()
        return claims

    def _remember(self, digest: bytes, claims: Claims) -> None:
        if len(self._known) >= REMEMBERED_TOKENS:
            self._known.clear()
        self._known[digest] = claims, time.monotonic() + REMEMBERED_S


def _given(request: Request) -> str:
    authorization = request.headers.get("Authorization", "")
    scheme, _, token = authorization.partition(" ")
    if authorization and scheme.lower() != "bearer":
        raise NotAuthenticated("Send `Authorization: Bearer` and a token or API key.")
    given = token.strip() or request.headers.get("X-API-Key", "").strip()
    if not given:
        raise NotAuthenticated("Sign in: POST /api/v1/auth/login gives an access token.")
    return given


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())
