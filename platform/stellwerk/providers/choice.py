"""Builds the providers that the settings name. SDKs of extras are imported only when chosen."""

from stellwerk.providers.artifacts.local import LocalArtifacts
from stellwerk.providers.artifacts.protocol import ArtifactStorage
from stellwerk.providers.catalogue import Providers
from stellwerk.providers.script.protocol import ScriptWriter
from stellwerk.providers.script.template import TemplateWriter
from stellwerk.providers.voice.local import LocalVoice
from stellwerk.settings import ArtifactStore, Settings


def choose_providers(settings: Settings) -> Providers:
    """One provider of each capability; connects to nothing yet."""
    return Providers(
        artifacts=artifact_storage(settings),
        script=_script_writer(settings),
        voice=LocalVoice(),
        images=None,  # type: ignore[arg-type]  # being written
    )


def artifact_storage(settings: Settings) -> ArtifactStorage:
    """The artifact store that the settings name."""
    if settings.artifact_store is ArtifactStore.LOCAL:
        return LocalArtifacts(settings.artifacts_path)
    from stellwerk.providers.artifacts.s3 import S3Artifacts, s3_client  # noqa: PLC0415  an extra

    client = s3_client(
        endpoint_url=settings.s3_endpoint_url,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key.get_secret_value(),
    )
    return S3Artifacts(client, settings.s3_bucket)


def _script_writer(settings: Settings) -> ScriptWriter:
    return TemplateWriter()
