"""Unpacks an archive: all of it, or nothing, and nothing but plain files and folders."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import orjson

from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.repositories.members import PADDING_AT_MOST, Member, Members
from stellwerk.providers.repositories.protocol import Entry, Progress
from stellwerk.providers.repositories.refusals import archive_refused

MANIFEST = "module.json"
MANIFEST_AT_MOST = 256 * 1024  # bytes
NAME_AT_MOST = 255  # bytes of each part of a path
PATH_AT_MOST = 1024  # bytes
DEPTH_AT_MOST = 32
HEADERS_AT_MOST = 4096  # bytes, on average, of each file
FOLDER_MODE, FILE_MODE, PROGRAM_MODE = 0o755, 0o644, 0o755
_EMPTY = ("", ".")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of what one archive may hold; folders count as files."""

    unpacked_bytes: int
    files: int

    @property
    def read_bytes(self) -> int:
        """How much may come out of it at all, with headers and what fills blocks."""
        return self.unpacked_bytes + self.files * HEADERS_AT_MOST + PADDING_AT_MOST


def unpack(entry: Entry, archive: Path, folder: Path, bounds: Bounds, progress: Progress) -> None:
    """Unpack beside `folder`, then rename; a folder that is there already is replaced.

    Only one at a time may unpack to a folder: what an earlier one left beside it is removed.
    Raises ProviderRejected (MODULE_ARCHIVE_REFUSED) and leaves nothing then.
    """
    beside = folder.with_name(f".{folder.name}.unpacking")
    former = folder.with_name(f".{folder.name}.former")
    with _mapped(), _without(beside, former):
        beside.mkdir(mode=0o700, parents=True)
        _Unpacking(beside, bounds).run(archive, progress)
        _require_manifest(entry, beside / MANIFEST)
        beside.chmod(FOLDER_MODE)
        if folder.is_dir():
            folder.rename(former)
        beside.rename(folder)


class _Unpacking:
    def __init__(self, root: Path, bounds: Bounds) -> None:
        self._root = root
        self._bounds = bounds
        self._left_bytes = bounds.unpacked_bytes
        self._folders: set[PurePosixPath] = {PurePosixPath()}
        self._files: set[PurePosixPath] = set()
        self._named: set[PurePosixPath] = set()  # by a member of their own
        self._made = 0

    def run(self, archive: Path, progress: Progress) -> None:
        size_bytes = archive.stat().st_size
        with archive.open("rb") as source:
            members = Members(source, self._bounds.read_bytes)
            for member in members:
                self._take(member, members)
                progress(min(source.tell() / size_bytes, 1.0))

    def _take(self, member: Member, members: Members) -> None:
        path = _path(member)
        if path in self._named:
            raise archive_refused("twice", "it holds a name twice", member.name)
        self._named.add(path)
        if member.is_folder:
            self._add_folder(path, member)
        else:
            self._add_folder(path.parent, member)
            self._add_file(path, member, members)

    def _add_folder(self, path: PurePosixPath, member: Member) -> None:
        missing = [one for one in (path, *path.parents) if one not in self._folders]
        for one in reversed(missing):
            if one in self._files:
                raise archive_refused("not_a_folder", "it holds a file below a file", member.name)
            self._count(member)
            (self._root / one).mkdir()
            (self._root / one).chmod(FOLDER_MODE)  # whatever the umask is
            self._folders.add(one)

    def _add_file(self, path: PurePosixPath, member: Member, members: Members) -> None:
        if path in self._folders:
            raise archive_refused("twice", "it holds a file where a folder is", member.name)
        self._count(member)
        self._files.add(path)
        self._left_bytes -= member.size_bytes
        if self._left_bytes < 0:
            told = f"it holds more than {self._bounds.unpacked_bytes} bytes"
            raise archive_refused("too_large", told, member.name)
        mode = PROGRAM_MODE if member.is_executable else FILE_MODE
        with (self._root / path).open("xb") as target:
            os.fchmod(target.fileno(), mode)
            for part in members.parts():
                target.write(part)

    def _count(self, member: Member) -> None:
        self._made += 1
        if self._made > self._bounds.files:
            told = f"it holds more than {self._bounds.files} files"
            raise archive_refused("too_many_files", told, member.name)


def _path(member: Member) -> PurePosixPath:
    """Below the folder; raises ProviderRejected for every other."""
    name = member.name.removesuffix("/") if member.is_folder else member.name
    if name.startswith("/"):
        raise archive_refused("absolute_path", "it holds an absolute path", name)
    parts = name.removeprefix("./").split("/")
    if ".." in parts:
        raise archive_refused("outside", "it holds a path with `..`", name)
    if any(part in _EMPTY for part in parts) and name != ".":
        raise archive_refused("path", "it holds a path with an empty part", name)
    if not all(letter.isprintable() for letter in name):  # nor are lone surrogates
        raise archive_refused("path", "it holds a name that is not plain text", name)
    sizes = [len(part.encode()) for part in parts]
    if max(sizes) > NAME_AT_MOST or sum(sizes) > PATH_AT_MOST or len(parts) > DEPTH_AT_MOST:
        raise archive_refused("path", "it holds a path that is too long or too deep", name)
    return PurePosixPath(name)


def _require_manifest(entry: Entry, manifest: Path) -> None:
    """That the archive says itself which module it is, so that no index can exchange two."""
    if not manifest.is_file():
        raise archive_refused("no_manifest", f"it holds no {MANIFEST}")
    if manifest.stat().st_size > MANIFEST_AT_MOST:
        raise archive_refused("manifest", f"its {MANIFEST} is too large")
    try:
        found = orjson.loads(manifest.read_bytes())
    except orjson.JSONDecodeError as exc:
        raise archive_refused("manifest", f"its {MANIFEST} is not JSON ({exc})") from exc
    if not isinstance(found, dict):
        raise archive_refused("manifest", f"its {MANIFEST} is no object")
    if (found.get("name"), found.get("version")) != (entry.name, entry.version):
        told = f"its {MANIFEST} names another module or version than {entry.name} {entry.version}"
        raise archive_refused("other_module", told)


@contextmanager
def _without(*folders: Path) -> Iterator[None]:
    """Without what a process that died left there, and without them afterwards."""
    try:
        _remove(folders)
        yield
    finally:
        _remove(folders)


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except ProviderRejected:
        raise
    except OSError as exc:
        raise ProviderUnavailable(f"Nothing can be unpacked here: {exc}.") from exc
