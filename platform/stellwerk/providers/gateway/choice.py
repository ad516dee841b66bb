"""Which gateway leads to modules here."""

from stellwerk.providers.gateway.caddy import CaddyGateway
from stellwerk.providers.gateway.protocol import Gateway
from stellwerk.settings import Settings


def gateway(settings: Settings) -> Gateway:
    """The one that settings name; connects to nothing yet."""
    return CaddyGateway(settings.gateway_url())
