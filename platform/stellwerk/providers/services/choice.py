"""Chooses what runs modules; its SDK is imported only when chosen."""
# ruff: noqa: PLC0415  imports of SDKs stand where a provider is chosen

from stellwerk.choices import ModuleRuntime
from stellwerk.providers.services.protocol import Services
from stellwerk.settings import Settings


def services(settings: Settings) -> Services:
    """The runtime that the settings name; connects to nothing yet."""
    if settings.module_runtime is ModuleRuntime.SWARM:
        from stellwerk.providers.services.swarm.runtime import SwarmServices

        return SwarmServices(settings)
    from stellwerk.providers.services.process.runtime import ProcessServices

    return ProcessServices(settings)
