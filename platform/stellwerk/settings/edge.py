"""What the outside reaches: the public port, who may stand before it, which pages may call."""

import re
from ipaddress import ip_network
from pathlib import Path

from pydantic import BaseModel, Field, IPvAnyNetwork, SecretStr, field_validator

from stellwerk.choices import Tls, TlsVersion
from stellwerk.settings.naming import Listed, named

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def is_origin(text: str) -> bool:
    """Whether this is a scheme and a host, perhaps with a port, as browsers write them."""
    return bool(_ORIGIN.fullmatch(text))


class Edge(BaseModel):
    """What the outside reaches: the public port, who may stand before it, which pages may call."""

    # TLS on the public port
    tls: Tls = Tls.AUTO  # auto: files where there are any, in production else acme for PUBLIC_URL
    tls_port: int = Field(default=8443, ge=0, le=65535)  # in place of PORT, with files; 0: any
    tls_oldest: TlsVersion = TlsVersion.V1_3  # that clients may speak
    certificate_dir: Path = Path("certificates")  # fullchain.pem with privkey.pem, or tls.crt, .key

    # The edge; lists have commas between
    trusted_proxies: Listed[IPvAnyNetwork] = ()  # before the edge: whom these name is the client
    edge_networks: Listed[IPvAnyNetwork] = _LOOPBACK  # where web's own edge and realtime are
    edge_token: SecretStr = SecretStr("")  # of the edge; without, all of EDGE_NETWORKS are believed
    cors_origins: Listed[str] = named("cors_origins", (), "CORS_ORIGINS")  # pages that may call

    @field_validator("cors_origins")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not is_origin(origin):
                raise ValueError(
                    f"{origin!r} is no origin such as https://app.example.com (small letters, no "
                    "path); `*` would let every page act for whoever is signed in."
                )
        return origins
