"""Makes an archive of a module's folder: the same bytes for the same files, wherever it is made."""

import gzip
import os
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson
from marshmallow import ValidationError

from stellwerk.errors import FieldError, InvalidInput
from stellwerk.providers.repositories.archives import FOLDER_MODE, MANIFEST, PROGRAM_MODE
from stellwerk.providers.repositories.checksums import sha256_of
from stellwerk.providers.repositories.index import entry_of, reasons
from stellwerk.providers.repositories.protocol import Entry
from stellwerk.providers.repositories.schemas import ManifestSchema
from stellwerk.providers.repositories.signatures import SigningKey, archive_message

BLOCK_BYTES = 256 * 1024
COMPRESSION = 9
PRIVATE_KEY = re.compile(rb"^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----", re.MULTILINE)
LARGEST_KEY = 64 * 1024  # bytes; larger files are not searched for one
_LEFT_OUT = re.compile(r"\..*|__pycache__|.*\.py[co]")


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive, and what an index says of it."""

    path: Path
    entry: Entry


def pack(folder: Path, target: Path) -> Packed:
    """Write `name-version.tar.gz` to the folder `target`, without a signature.

    Hidden files and Python's caches stay out. Raises InvalidInput for a folder that is no module,
    or that holds links, private keys or anything else that does not belong into an archive.
    """
    manifest = _manifest(folder)
    path = target / f"{manifest['name']}-{manifest['version']}.tar.gz"
    with path.open("wb") as file, _gzip(file) as compressed:
        _write(folder, compressed)
    about = {"file": path.name, "sha256": sha256_of(path), "size": path.stat().st_size}
    return Packed(path, entry_of({**manifest, **about}))


def signature_of(entry: Entry, key: SigningKey) -> str:
    """What the index has to have as the entry's `signature`."""
    return key.sign(archive_message(entry.name, entry.version, entry.sha256))


def _manifest(folder: Path) -> dict[str, object]:
    path = folder / MANIFEST
    try:
        fields: dict[str, object] = ManifestSchema().load(orjson.loads(path.read_bytes()))
    except FileNotFoundError as exc:
        raise InvalidInput(f"{folder} is no module: it has no {MANIFEST}.") from exc
    except (OSError, orjson.JSONDecodeError) as exc:
        raise InvalidInput(f"{path} cannot be read: {exc}.") from exc
    except ValidationError as exc:
        told = list(reasons(exc))
        errors = [FieldError(*text.partition(": ")[::2]) for text in told]
        raise InvalidInput(f"{path}: {'; '.join(told)}", errors=errors) from exc
    return fields


def _gzip(file: IO[bytes]) -> gzip.GzipFile:
    """Without a name and a time in its header."""
    return gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=file, mtime=0)


def _write(folder: Path, target: gzip.GzipFile) -> None:
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name, path in sorted(_found(folder, "")):
            _add(tar, name, path)


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    """As nobody's and of no time; only whether a file is a program is kept."""
    found = path.lstat()
    member = tarfile.TarInfo(name)
    if stat.S_ISDIR(found.st_mode):
        member.type, member.mode = tarfile.DIRTYPE, FOLDER_MODE
        tar.addfile(member)
        return
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInput(f"{path} is neither a file nor a folder.")
    _refuse_private_key(path, found.st_size)
    if found.st_mode & stat.S_IXUSR:
        member.mode = PROGRAM_MODE
    member.size = found.st_size
    with path.open("rb") as source:
        tar.addfile(member, source)


def _found(folder: Path, below: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if _LEFT_OUT.fullmatch(entry.name):
                continue
            name = f"{below}{entry.name}"
            yield name, Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from _found(Path(entry.path), f"{name}/")


def _refuse_private_key(path: Path, size_bytes: int) -> None:
    if size_bytes <= LARGEST_KEY and PRIVATE_KEY.search(path.read_bytes()):
        raise InvalidInput(f"{path} holds a private key, which nobody is to have.")
