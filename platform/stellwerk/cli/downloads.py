"""Downloads that go on where they were cut off (RFC 9110, section 14), checked when complete."""

import hashlib
from pathlib import Path
from typing import Any

import requests

from stellwerk.cli.api import Api
from stellwerk.errors import ApiError

CHUNK_BYTES = 256 * 1024


def download(api: Api, artifact: dict[str, Any], folder: Path) -> Path:
    """Save an artifact of a job document under its name; returns the path.

    Raises ApiError where the name is unsafe or the content is not what was announced.
    """
    path = folder / _safe(artifact["name"])
    if path.exists() and _sha256(path) == artifact["sha256"]:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    _fetch(api, artifact, part)
    if _sha256(part) != artifact["sha256"]:
        part.unlink()
        raise ApiError(f"{artifact['name']} arrived damaged. Download it again.")
    part.replace(path)
    return path


def _fetch(api: Api, artifact: dict[str, Any], part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        # The ETag of an artifact is its SHA-256: another file starts anew.
        headers |= {"Range": f"bytes={have}-", "If-Range": f'"{artifact["sha256"]}"'}
    with api.download(artifact["url"], headers) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return
        resumes = response.status_code == requests.codes.partial_content
        with part.open("ab" if resumes else "wb") as file:
            for chunk in response.iter_content(CHUNK_BYTES):
                file.write(chunk)


def _safe(name: str) -> str:
    if name != Path(name).name or name in {"", ".", ".."}:
        raise ApiError(f"The artifact's name {name!r} is no plain file name; it is not saved.")
    return name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
