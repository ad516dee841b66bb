"""The outside services of one process, each behind its protocol; `bootstrap` fills it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stellwerk.providers.artifacts.protocol import ArtifactStorage
from stellwerk.providers.calls.callbacks import Callbacks
from stellwerk.providers.calls.protocol import Trunk
from stellwerk.providers.gateway.protocol import Gateway
from stellwerk.providers.images.protocol import Illustrator
from stellwerk.providers.mail.protocol import Mailer
from stellwerk.providers.oauth.protocol import AuthorizationServer
from stellwerk.providers.outbound.client import OutboundClient
from stellwerk.providers.repositories.protocol import Repositories
from stellwerk.providers.script.protocol import ScriptRequest, ScriptWriter
from stellwerk.providers.services.protocol import Services
from stellwerk.providers.voice.protocol import Voice


@dataclass(frozen=True, slots=True)
class Providers:
    """One of each capability."""

    artifacts: ArtifactStorage
    script: ScriptWriter
    voice: Voice
    images: Illustrator
    mail: Mailer
    outbound: OutboundClient
    repositories: Repositories
    services: Services
    gateway: Gateway
    oauth: Mapping[str, AuthorizationServer]  # by the name in routes; those that are set up
    nextcloud_sign_in: AuthorizationServer | None = None
    trunk: Trunk | None = None  # None: nobody carries calls here
    callbacks: Mapping[str, Callbacks] = field(default_factory=dict)  # of carriers, by their names

    def refuse_script(self, request: ScriptRequest) -> None:
        """Raise InvalidInput for a script that cannot be written, or that nobody here speaks."""
        self.script.refuse_unfillable(request, self.voice.languages)
