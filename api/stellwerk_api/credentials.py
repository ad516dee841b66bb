"""Finds out who sends a request: an access token, an API key, or the scrape token."""

import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from flask import Request
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.bootstrap import Platform
from stellwerk.configuration.rates import RateClass
from stellwerk.errors import NotAuthenticated
from stellwerk.identity import acts, api_keys, signing_keys
from stellwerk.identity import sessions as ledger
from stellwerk.identity.caller import Caller, by_key, realtime, scraper, signed_in
from stellwerk.identity.random_keys import KEY_PREFIX, key_hash
from stellwerk.identity.sessions import KeyStanding, Standing
from stellwerk.identity.tokens import Claims, Tokens, expired
from stellwerk.live import keys
from stellwerk.live.limits import Counting
from stellwerk.live.sessions import KEY_COPY_S, Copy, LiveSessions
from stellwerk_api.limit_headers import REPEAT
from stellwerk_api.limits import COUNTED, Limiter, Tally

REMEMBERED_S = 30.0
KEYS_READ_EVERY_S = 60.0  # so that a key whose time is over is refused in every process
REMEMBERED_TOKENS = 10_000
SLOWEST_READER_S = 120.0  # after reading what stood then, a copy is put at the latest


@dataclass(frozen=True, slots=True)
class TokenProof:
    """A token whose signature is right; whether its session stands is to be looked up."""

    claims: Claims
    redis_key: str  # of the copy of its session

    def caller(self, copy: Copy) -> Caller | None:
        """Whose it is by Redis's copy; None where Postgres or a refusal is due."""
        found = copy.standing if copy.is_swept else None
        if found is None or found.user_id != self.claims.user_id:
            return None
        return self.of(found)

    def of(self, standing: Standing) -> Caller:
        """The caller, once the session is known to stand."""
        claims = self.claims
        return signed_in(
            standing.user_id,
            standing.role,
            claims.session_id,
            audience=claims.audience,
            ends_at=claims.expires_at,
            tier=standing.tier,
        )


@dataclass(frozen=True, slots=True)
class KeyProof:
    """An API key by its hash; whether there is such a key is to be looked up."""

    key_hash: str
    redis_key: str  # of its copy

    def caller(self, copy: Copy) -> Caller | None:
        """Whose it is by Redis's copy; None where Postgres or a refusal is due."""
        found = copy.key_standing if copy.is_swept else None
        return None if found is None or found.is_over() else _of_key(found)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who sends a request, and what was counted of it."""

    caller: Caller
    tally: Tally | None = None


class Credentials:
    """Turns a request's credentials into its caller. One per process."""

    def __init__(self, platform: Platform) -> None:
        settings = platform.settings
        ring = partial(signing_keys.ring, platform.runtime)
        self.tokens = Tokens(settings.signing_key(), ring)
        self.live = LiveSessions(platform.live_client, ttl_s=settings.session_cache_s)
        self.limiter = Limiter(platform)
        self._verified = VerifiedTokens(self.tokens)
        self._sessions = platform.runtime.sessions
        self._scrape_token = settings.scrape_token.get_secret_value()
        self._realtime_token = settings.realtime_token.get_secret_value()
        self._copied_for_s = settings.session_cache_s

    def caller(self, request: Request) -> Caller:
        """Who it is, where that counts against no limit; raises NotAuthenticated."""
        return self.visit(request, None).caller

    def visit(self, request: Request, counts: RateClass | None) -> Visit:
        """Who it is, counted unless that was done; raises NotAuthenticated and Unavailable."""
        headers = request.headers
        given = given_in(headers.get("Authorization", ""), headers.get("X-API-Key", ""))
        if self._scrape_token and _same(given, self._scrape_token):
            return Visit(scraper())
        if self._realtime_token and _same(given, self._realtime_token):
            return Visit(realtime())
        is_counted = COUNTED in request.environ or self.is_repeat(headers.get(REPEAT, ""))
        return self._visit(self.proof(given), None if is_counted else counts)

    def is_repeat(self, token: str) -> bool:
        """Whether realtime says, with its token, that the request was counted before."""
        return bool(token and self._realtime_token) and _same(token, self._realtime_token)

    def proof(self, given: str) -> TokenProof | KeyProof:
        """What a token or key proves by itself; raises NotAuthenticated."""
        if given.startswith(KEY_PREFIX):
            hashed = key_hash(given)
            return KeyProof(hashed, keys.api_key(hashed))
        return self._verified.proof(given)

    def counting(self, proof: TokenProof | KeyProof, counts: RateClass) -> Counting | None:
        """What the script that looks it up needs to count the request, too."""
        return self.limiter.counting(counts, self.live.seen.at(proof.redis_key))

    def forget(self, session_ids: Sequence[UUID], key_hashes: Sequence[str] = ()) -> None:
        """Tell every process that these have ended in Postgres."""
        self.live.end(session_ids)
        self.live.end_keys(key_hashes)

    def end_session(self, user_id: int, session_id: UUID) -> None:
        """Sign out: in Postgres first, then its copy in Redis."""
        with self._sessions.begin() as session:
            ledger.end(session, session_id)
            acts.of_session(session, Action.SESSION_ENDED, user_id, session_id)
        self.live.end([session_id])

    def end_key(self, user_id: int, key_id: UUID) -> None:
        """Revoke a user's key likewise; raises NotFound."""
        self.live.end_keys([api_keys.revoke(self._sessions, user_id, key_id)])

    def _visit(self, proof: TokenProof | KeyProof, counts: RateClass | None) -> Visit:
        """In one round trip to Redis, where it knows who it is."""
        limiter = self.limiter
        copy = self.live.copy(proof.redis_key, self.counting(proof, counts) if counts else None)
        known = proof.caller(copy)
        if counts and known and copy.counted:
            return Visit(known, limiter.tally(counts, known.tier, copy.counted))
        if known is None:
            known = self._by_ledger(proof, copy)
        return Visit(known, limiter.count(counts, known) if counts else None)

    def _by_ledger(self, proof: TokenProof | KeyProof, copy: Copy) -> Caller:
        if isinstance(proof, KeyProof):
            return self._with_key(proof, copy)
        return self._with_token(proof, copy)

    def _with_key(self, proof: KeyProof, copy: Copy) -> Caller:
        with self._sessions.begin() as session:
            found = ledger.key_standing(session, proof.key_hash)
            self._sweep_if_due(session, copy)
        if found is None:
            raise NotAuthenticated("The API key is not valid, or not any more.")
        self.live.fill_key(proof.key_hash, found)
        return _of_key(found)

    def _with_token(self, proof: TokenProof, copy: Copy) -> Caller:
        claims = proof.claims
        standing = None
        if not (copy.is_swept and copy.held):
            standing = self._standing(claims.session_id, copy)
        if standing is None or standing.user_id != claims.user_id:
            raise NotAuthenticated("The session has ended. Sign in again.")
        return proof.of(standing)

    def _standing(self, session_id: UUID, copy: Copy) -> Standing | None:
        self.tokens.refresh(older_than_s=KEYS_READ_EVERY_S)
        with self._sessions() as session:
            found = ledger.standing(session, session_id)
            self._sweep_if_due(session, copy)
        if found:
            self.live.fill(session_id, found)
        return found

    def _sweep_if_due(self, session: Session, copy: Copy) -> None:
        """Mark what ended lately, so that copies can be believed again for a moment."""
        if copy.is_swept or not copy.is_reachable:
            return
        within = timedelta(seconds=self._copied_for_s + SLOWEST_READER_S)
        ended = ledger.ended_lately(session, within=within)
        changed = ledger.changed(session, within=within)
        within = timedelta(seconds=KEY_COPY_S + SLOWEST_READER_S)
        self.live.sweep(ended, changed, ledger.keys_changed(session, within=within))


class VerifiedTokens:
    """Remembers for half a minute which tokens were verified; a signature costs more."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._known: dict[bytes, tuple[TokenProof, float]] = {}

    def proof(self, token: str) -> TokenProof:
        """What the token proves; raises NotAuthenticated."""
        digest = hashlib.sha256(token.encode()).digest()
        proof, until = self._known.get(digest, (None, 0.0))
        if proof is None or time.monotonic() > until:
            claims = self._tokens.verify(token)
            proof = TokenProof(claims, keys.session(claims.session_id))
            self._remember(digest, proof)
        if proof.claims.expires_at <= time.time():
            raise expired()
        return proof

    def _remember(self, digest: bytes, proof: TokenProof) -> None:
        if len(self._known) >= REMEMBERED_TOKENS:
            self._known.clear()
        self._known[digest] = proof, time.monotonic() + REMEMBERED_S


def given_in(authorization: str, api_key: str) -> str:
    """The token or key in the two headers that may carry one; raises NotAuthenticated."""
    scheme, _, token = authorization.partition(" ")
    if authorization and scheme.lower() != "bearer":
        raise NotAuthenticated("Send `Authorization: Bearer` and a token or API key.")
    given = token.strip() or api_key.strip()
    if not given:
        raise NotAuthenticated("Sign in: POST /api/v1/auth/login gives an access token.")
    return given


def _of_key(found: KeyStanding) -> Caller:
    return by_key(found.user_id, found.role, UUID(found.key_id), found.scopes, tier=found.tier)


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())
