"""The cookie of a browser's session, and the proof that a change was asked for by our own page.

A request that has the cookie, and neither `Authorization` nor `X-API-Key`, is its owner's. Whoever
changes something by it has to show in `X-CSRF-Token` what the second cookie holds (OWASP: signed
double submit; a page of another site can read neither), and to come from an origin of ours.
"""

import hmac
import secrets
from typing import cast
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, g

from stellwerk.choices import Mode
from stellwerk.errors import ErrorCode, NotPermitted
from stellwerk.identity.tokens import session_named_in
from stellwerk.settings import Settings
from stellwerk.vault import Vault

EXTENSION = "stellwerk.cookies"
HEADER = "X-CSRF-Token"
NAME = "stellwerk"
PROOF = "stellwerk-csrf"
HOST_PREFIX = "__Host-"  # browsers take it with Secure and Path=/ alone, from this host alone

_JWT_DOTS = 2
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({"same-origin", "none"})


class Cookies:
    """Gives sessions to browsers and takes them back. One per process."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self.is_secure = settings.mode is Mode.PRODUCTION or settings.public_url.startswith(
            "https://"
        )
        prefix = HOST_PREFIX if self.is_secure else ""
        self.name, self.proof_name = prefix + NAME, prefix + PROOF
        self._vault = vault
        self._own_origin = _origin_of(settings.public_url)  # "": the one that was asked
        self._origins = frozenset(settings.cors_origins)

    def begin(self, response: Response, token: str, ttl_s: int) -> str:
        """Put a session's token into the cookie; returns the proof that belongs to the session."""
        nonce = secrets.token_urlsafe(16)
        proof = f"{nonce}.{self._marks(token, nonce)[0]}"
        self.renew(response, token, proof, ttl_s)
        return proof

    def renew(self, response: Response, token: str, proof: str, ttl_s: int) -> None:
        """Put a later token of the same session into the cookie; the proof stays."""
        self._set(response, self.name, token, ttl_s)
        self._set(response, self.proof_name, proof, ttl_s)

    def end(self, response: Response) -> None:
        """Have the browser forget both cookies."""
        for name in (self.name, self.proof_name):
            self._set(response, name, "", 0)

    def take(self, sent: Request) -> None:
        """Make a request with the cookie its owner's; raises NotPermitted (CSRF_REFUSED)."""
        token = sent.cookies.get(self.name, "")
        has_own = "Authorization" in sent.headers or "X-API-Key" in sent.headers
        if has_own or token.count(".") != _JWT_DOTS:  # no API key or other token may be in it
            return
        if sent.method not in _SAFE:
            self.require_own_page(sent)
            self._require_proof(sent, token)
        sent.environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        g.by_cookie = True

    def require_own_page(self, sent: Request) -> None:
        """Raise NotPermitted for a request that a page of another origin made a browser send."""
        origin = sent.headers.get("Origin")
        if origin is None:
            is_own = sent.headers.get("Sec-Fetch-Site", "none") in _OWN_SITE
        else:
            own = self._own_origin or sent.host_url.rstrip("/")
            is_own = origin == own or origin in self._origins
        if not is_own:
            raise _refused("The request was made by a page of another site.")

    def _require_proof(self, sent: Request, token: str) -> None:
        shown, kept = sent.headers.get(HEADER, ""), sent.cookies.get(self.proof_name, "")
        nonce, _, mark = shown.partition(".")
        is_same = hmac.compare_digest(shown.encode(), kept.encode())
        if not (is_same and nonce and mark.encode() in map(str.encode, self._marks(token, nonce))):
            raise _refused(f"Send {HEADER} with what the cookie {self.proof_name} holds.")

    def _marks(self, token: str, nonce: str) -> tuple[str, ...]:
        return self._vault.marks(f"csrf:{nonce}:{session_named_in(token)}".encode())

    def _set(self, response: Response, name: str, value: str, ttl_s: int) -> None:
        is_proof = name == self.proof_name
        response.set_cookie(
            name,
            value,
            max_age=ttl_s,
            path="/",
            secure=self.is_secure,
            httponly=not is_proof,  # our page reads the proof
            samesite="Strict" if is_proof else "Lax",
        )


def cookies() -> Cookies:
    """This process's cookies."""
    return cast("Cookies", current_app.extensions[EXTENSION])


def add_cookies(app: Flask, settings: Settings, vault: Vault) -> None:
    """Have the app take them."""
    app.extensions[EXTENSION] = Cookies(settings, vault)


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""


def _refused(message: str) -> NotPermitted:
    return NotPermitted(message, code=ErrorCode.CSRF_REFUSED)
