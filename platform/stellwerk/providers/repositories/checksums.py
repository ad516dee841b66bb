"""SHA-256 of archives, in hexadecimal."""

import gzip
import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Of a file as it is."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def content_sha256_of(path: Path) -> str:
    """Of what an archive holds: the same whichever library compressed it."""
    with gzip.open(path, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
