"""The origin of modules' pages as the edge opens it: a second port, or a domain of its own."""

from urllib.parse import urlsplit

from stellwerk.choices import Mode, Tls
from stellwerk.settings import Settings
from stellwerk.stack.ports import Wish
from stellwerk.stack.transport import HTTPS_PORT, Transport, transport_of


def modules_wish(given: Settings) -> Wish | None:
    """The port it wishes; None where it shares the edge's and is told apart by its domain."""
    transport = transport_of(given)
    if _shares(given, transport):
        return None
    if transport.kind is Tls.ACME and given.modules_url:
        return Wish(_url_port(given), is_demanded=True, remedy="STELLWERK_MODULES_URL=...")
    is_demanded = "modules_port" in given.model_fields_set and bool(given.modules_port)
    port = given.modules_port if is_demanded or transport.port else 0
    return Wish(port, is_demanded, remedy="STELLWERK_MODULES_PORT=0")


def modules_site(given: Settings, port: int) -> str:
    """The address of Caddy's second site; `port` is where it is opened in fact."""
    transport = transport_of(given)
    domain = urlsplit(given.modules_url).hostname or transport.domain
    is_named = transport.kind is Tls.ACME or _shares(given, transport)
    return f"{transport.scheme}://{domain if is_named else ''}:{port}"


def modules_host(given: Settings) -> str:
    """The address it listens on: in production this machine alone, unless it has a URL.

    Without one its pages would stand under the platform's own host, to which cookies belong.
    """
    is_open = given.mode is not Mode.PRODUCTION or given.modules_url
    return given.host if is_open else "127.0.0.1"


def _shares(given: Settings, transport: Transport) -> bool:
    is_encrypted = transport.kind is not Tls.OFF and bool(given.modules_url)
    return is_encrypted and _url_port(given) == transport.port


def _url_port(given: Settings) -> int:
    return urlsplit(given.modules_url).port or HTTPS_PORT
