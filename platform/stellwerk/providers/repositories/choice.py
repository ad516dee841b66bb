"""Reads repositories as the settings say."""

from stellwerk.errors import ConfigurationError
from stellwerk.providers.repositories.archives import Bounds
from stellwerk.providers.repositories.protocol import Repositories
from stellwerk.providers.repositories.reader import RepositoryReader, Rules
from stellwerk.settings import Settings


def repositories(settings: Settings) -> Repositories:
    """Asks nobody yet; raises ConfigurationError for certificates that are not there."""
    ca_file = settings.module_repository_ca_file
    if ca_file and not ca_file.is_file():
        message = f"STELLWERK_MODULE_REPOSITORY_CA_FILE names {ca_file}, which is no file."
        raise ConfigurationError(message)
    return RepositoryReader(
        Rules(
            index_bytes=settings.module_index_bytes,
            archive_bytes=settings.module_archive_bytes,
            bounds=Bounds(settings.module_unpacked_bytes, settings.module_unpacked_files),
            answer_s=settings.module_repository_timeout_s,
            download_s=settings.module_download_timeout_s,
            ca_file=ca_file,
        )
    )
