"""Which authorization servers there are, and where they send browsers back to."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from urllib.parse import urlencode

from stellwerk.errors import FieldError, InvalidInput, NotFound, Unavailable
from stellwerk.jobs.queries import API
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.oauth.protocol import AuthorizationServer

AT_ONCE = 2  # requests of one web process that wait for a provider

_turns = BoundedSemaphore(AT_ONCE)


def server(runtime: Runtime, provider: str) -> AuthorizationServer:
    """The provider of that name; raises NotFound where it is not set up."""
    found = runtime.providers.oauth.get(provider)
    if found is None:
        names = ", ".join(sorted(runtime.providers.oauth)) or "none is set up"
        raise NotFound(f"There is no such provider here. Providers: {names}.")
    return found


def callback_url(runtime: Runtime, provider: str) -> str:
    """What the provider has on record as ours, letter by letter."""
    return f"{runtime.settings.base_url()}{API}/auth/{provider}/callback"


def start_url(runtime: Runtime, provider: str, ticket: str) -> str:
    """Where any browser begins that is shown a ticket."""
    query = urlencode({"ticket": ticket})
    return f"{runtime.settings.base_url()}{API}/auth/{provider}?{query}"


def refuse_access(found: AuthorizationServer, access: Collection[str]) -> None:
    """Raise InvalidInput for a name that the provider has no scopes for."""
    unknown = [name for name in access if name not in found.access]
    if unknown:
        reason = f"{found.name} has: {', '.join(found.access) or 'nothing to choose'}."
        raise InvalidInput(
            "The provider has no such access.", errors=[FieldError("access", reason)]
        )


@contextmanager
def turn() -> Iterator[None]:
    """One of the few calls in progress; raises Unavailable where there is none to be had.

    Requests wait for these calls, and the process's other threads have other requests to answer:
    none waits for a turn, too.
    """
    if not _turns.acquire(blocking=False):
        raise Unavailable("Too many accounts are being connected at this moment.", retry_after_s=5)
    try:
        yield
    finally:
        _turns.release()
