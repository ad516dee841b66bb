"""Reads a tar, compressed with gzip, member by member: plain files and folders, nothing else.

Python's own tarfile reads whatever headers ask for, extended ones whole into memory, and knows
more kinds of members than a module has. Here each header is looked at before anything behind it
is read. The form is that of POSIX.1-2001 (pax), with GNU's long names.
"""

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from stellwerk.providers.repositories.refusals import archive_refused, shown

BLOCK = tarfile.BLOCKSIZE
EXTENSION_AT_MOST = 64 * 1024  # bytes of an extended header
PADDING_AT_MOST = 1024 * 1024  # bytes behind the end of the archive
PART_BYTES = 256 * 1024
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_FOLDER = tarfile.DIRTYPE
_EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME)
_REFUSED = {
    tarfile.SYMTYPE: ("symlink", "it holds a symbolic link"),
    tarfile.LNKTYPE: ("hard_link", "it holds a hard link"),
    tarfile.GNUTYPE_LONGLINK: ("symlink", "it holds a link"),
    tarfile.CHRTYPE: ("device", "it holds a device"),
    tarfile.BLKTYPE: ("device", "it holds a device"),
    tarfile.FIFOTYPE: ("fifo", "it holds a named pipe"),
    tarfile.GNUTYPE_SPARSE: ("sparse", "it holds a sparse file"),
}
_SAID, _SPARSE = (b"path", b"size"), b"GNU.sparse"  # the records that matter here
_RECORD = re.compile(rb"(\d{1,6}) ([^=]{1,200})=")


@dataclass(frozen=True, slots=True)
class Member:
    """A file or a folder as it is written in the archive; sizes in bytes."""

    name: str
    is_folder: bool
    is_executable: bool
    size_bytes: int


class Members:
    """Those of one archive, in their order: `parts` of each before the next.

    No more than `read_bytes` is decompressed.
    """

    def __init__(self, source: IO[bytes], read_bytes: int) -> None:
        self._tar = gzip.GzipFile(fileobj=source, mode="rb")
        self._may_read = read_bytes  # with headers: these can be a bomb as well
        self._left = 0  # bytes of the present member that nobody has read
        self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        """Raises ProviderRejected at the first member that is refused, or for a damaged file."""
        told: dict[bytes, bytes] = {}
        with _damage_told():
            while header := self._header():
                if header.type in _EXTENSIONS:
                    told |= self._extension(header)
                elif header.type in (*_FILES, _FOLDER):
                    member = _member(header, told)
                    self._expect(member.size_bytes)
                    told = {}
                    yield member
                    self._skip()
                else:
                    raise _refused_kind(header)
            self._finish()

    def parts(self) -> Iterator[bytes]:
        """The content of the present member."""
        with _damage_told():
            while self._left:
                part = self._read(min(self._left, PART_BYTES))
                self._left -= len(part)
                yield part

    def _header(self) -> tarfile.TarInfo | None:
        """The next; None at the end of the archive."""
        block = self._read(BLOCK)
        if not block.strip(b"\0"):
            return None
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as exc:
            raise archive_refused("not_an_archive", f"it is no tar ({exc})") from exc
        if header.size < 0:
            raise archive_refused("damaged", "a member has a negative size", header.name)
        return header

    def _extension(self, header: tarfile.TarInfo) -> dict[bytes, bytes]:
        """What an extended header says of the next member; a global one says nothing to us."""
        if header.size > EXTENSION_AT_MOST:
            told = f"it holds an extended header of {header.size} bytes"
            raise archive_refused("extended_header", told)
        self._expect(header.size)
        content = b"".join(self.parts())
        self._skip()
        if header.type == tarfile.XGLTYPE:
            return {}
        if header.type == tarfile.GNUTYPE_LONGNAME:
            return {b"path": content.rstrip(b"\0")}
        return dict(_records(content))

    def _expect(self, size_bytes: int) -> None:
        self._left, self._padding = size_bytes, -size_bytes % BLOCK

    def _skip(self) -> None:
        for _ in self.parts():
            pass
        self._read(self._padding)
        self._padding = 0

    def _finish(self) -> None:
        """Read to the end, where gzip's checksum is."""
        left = PADDING_AT_MOST
        while part := self._tar.read(min(left, PART_BYTES)):
            left -= len(part)
            if part.strip(b"\0") or not left:
                raise archive_refused("damaged", "something stands behind its end")

    def _read(self, size_bytes: int) -> bytes:
        """Just so many bytes."""
        self._may_read -= size_bytes
        if self._may_read < 0:
            raise archive_refused("too_large", "more comes out of it than it may hold")
        found = b""
        while len(found) < size_bytes:
            part = self._tar.read(size_bytes - len(found))
            if not part:
                raise archive_refused("truncated", "it ends too early")
            found += part
        return found


def _member(header: tarfile.TarInfo, told: dict[bytes, bytes]) -> Member:
    if any(name.startswith(_SPARSE) for name in told):
        raise archive_refused("sparse", "it holds a sparse file", header.name)
    name = told[b"path"].decode("utf-8", "surrogateescape") if b"path" in told else header.name
    is_folder = header.type == _FOLDER
    size_bytes = 0 if is_folder else _size(header, told)
    return Member(name, is_folder, bool(header.mode & 0o100), size_bytes)


def _size(header: tarfile.TarInfo, told: dict[bytes, bytes]) -> int:
    text = told.get(b"size", b"%d" % header.size)
    if not text.isdigit() or len(text) > len(str(2**63)):
        raise archive_refused("damaged", "a member has no size", header.name)
    return int(text)


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of a pax header: `LENGTH NAME=VALUE` and a line end, all of which LENGTH counts."""
    while content:
        found = _RECORD.match(content)
        length = int(found[1]) if found else 0
        if (
            not found
            or not found.end() < length <= len(content)
            or content[length - 1] != ord("\n")
        ):
            raise archive_refused("damaged", "an extended header cannot be read")
        if found[2] in _SAID or found[2].startswith(_SPARSE):
            yield found[2], content[found.end() : length - 1]
        content = content[length:]


def _refused_kind(header: tarfile.TarInfo) -> Exception:
    unknown = ("unknown_kind", f"it holds a member of the kind {shown(repr(header.type))}")
    reason, message = _REFUSED.get(header.type, unknown)
    return archive_refused(reason, message, header.name)


@contextmanager
def _damage_told() -> Iterator[None]:
    """What a broken file makes the library raise, as ours."""
    try:
        yield
    except EOFError as exc:
        raise archive_refused("truncated", "it ends too early") from exc
    except (gzip.BadGzipFile, zlib.error) as exc:
        raise archive_refused("not_an_archive", f"it cannot be decompressed ({exc})") from exc
