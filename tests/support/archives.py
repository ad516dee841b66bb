"""Archives of modules, good ones and hostile ones."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from stellwerk.providers.repositories.archives import Bounds
from stellwerk.providers.repositories.protocol import Entry

BOUNDS = Bounds(unpacked_bytes=10 * 1024 * 1024, files=1000)
MANY_FILES = 100_000
BOMB_BYTES = 300 * 1024 * 1024
LARGE_HEADER = 128 * 1024  # bytes


def manifest(name: str = "clock", version: str = "1.0.0") -> bytes:
    """What an archive has to say about itself."""
    return json.dumps({"name": name, "version": version}).encode()


def entry_of(archive: Path, name: str = "clock", version: str = "1.0.0") -> Entry:
    """An entry that the archive is the right one for, by size and SHA-256."""
    content = archive.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    about = ("tests", "Of a test.", archive.name, digest, len(content))
    return Entry(name, version, *about, command=("true",))


def packed(*members: tuple[tarfile.TarInfo, bytes], first: bytes | None = None) -> bytes:
    """A module's archive with these members behind its `module.json`."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=1) as tar:
        for member, content in (file("module.json", first or manifest()), *members):
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


def file(
    name: str, content: bytes = b"content", mode: int = 0o644
) -> tuple[tarfile.TarInfo, bytes]:
    """A plain file."""
    member = tarfile.TarInfo(name)
    member.mode = mode
    return member, content


def special(
    kind: bytes, name: str = "harmless", target: str = "", device: tuple[int, int] = (0, 0)
) -> tuple[tarfile.TarInfo, bytes]:
    """A member of another kind: a folder, a link, a device."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    member.devmajor, member.devminor = device
    return member, b""


def with_header(name: str, value: str) -> tuple[tarfile.TarInfo, bytes]:
    """A file behind an extended header of pax."""
    member, content = file("extended")
    member.pax_headers = {name: value}
    return member, content


def bomb() -> bytes:
    """A small archive with one file of 300 MiB, all of it noughts."""
    return b"".join(_compressed(_bomb_blocks()))


def many_files() -> bytes:
    """100,000 empty files."""
    return b"".join(_compressed(_file_blocks()))


def many_headers() -> bytes:
    """Extended headers without end, and no file behind them."""
    header = tarfile.TarInfo("endless")
    header.type, header.size = tarfile.XHDTYPE, 60 * 1024
    record = b"%d comment=" % header.size
    content = record + b"x" * (header.size - len(record) - 1) + b"\n"
    return b"".join(_compressed([header.tobuf() + content] * 400))


def announcing(size_bytes: int) -> bytes:
    """A file that is said to have more bytes than there are, behind a good beginning."""
    member = tarfile.TarInfo("large")
    member.size = size_bytes
    beginning, content = file("module.json", manifest())
    beginning.size = len(content)
    padded = content + b"\0" * (-len(content) % tarfile.BLOCKSIZE)
    return gzip.compress(beginning.tobuf() + padded + member.tobuf())


def _bomb_blocks() -> Iterator[bytes]:
    member = tarfile.TarInfo("bomb")
    member.size = BOMB_BYTES
    yield member.tobuf()
    for _ in range(BOMB_BYTES // 2**20):
        yield bytes(2**20)


def _file_blocks() -> Iterator[bytes]:
    """Headers that differ in one name of five digits; only that and its checksum are replaced."""
    for number in range(MANY_FILES):
        header = bytearray(_EMPTY_FILE)
        header[5:10] = b"%05d" % number
        header[148:156] = b"        "
        header[148:156] = b"%06o\0 " % sum(header)
        yield bytes(header)


def _compressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=1) as compressed:
        for block in blocks:
            compressed.write(block)
        compressed.write(bytes(2 * tarfile.BLOCKSIZE))
    yield target.getvalue()


_EMPTY_FILE = tarfile.TarInfo("file-00000").tobuf()


@dataclass(frozen=True, slots=True)
class Hostile:
    """An archive that is to be refused for `reason`."""

    reason: str
    content: Callable[[], bytes]


def _of(*members: tuple[tarfile.TarInfo, bytes]) -> Callable[[], bytes]:
    return lambda: packed(*members)


HOSTILE: Mapping[str, Hostile] = MappingProxyType(
    {
        "an absolute path": Hostile("absolute_path", _of(file("/etc/cron.d/evil"))),
        "a path out of the folder": Hostile("outside", _of(file("../evil"))),
        "a path out of it half-way": Hostile("outside", _of(file("a/../../evil"))),
        "a folder out of it": Hostile("outside", _of(special(tarfile.DIRTYPE, ".."))),
        "a path that pax puts out of it": Hostile("outside", _of(with_header("path", "../evil"))),
        "an empty part in a path": Hostile("path", _of(file("a//b"))),
        "a line end in a name": Hostile("path", _of(file("a\nb"))),
        "a name that is not UTF-8": Hostile("path", _of(file("a\udcff"))),
        "a very deep path": Hostile("path", _of(file("a/" * 40 + "b"))),
        "a name that is too long": Hostile("path", _of(file("a" * 256))),
        "a symbolic link out": Hostile("symlink", _of(special(tarfile.SYMTYPE, target="/etc"))),
        "a symbolic link within": Hostile("symlink", _of(special(tarfile.SYMTYPE, target="x"))),
        "a long symbolic link": Hostile("symlink", _of(special(tarfile.SYMTYPE, target="x/" * 99))),
        "a file through a link": Hostile(
            "symlink", _of(special(tarfile.SYMTYPE, "out", target="/var"), file("out/evil"))
        ),
        "a hard link": Hostile("hard_link", _of(special(tarfile.LNKTYPE, target="/etc/shadow"))),
        "a character device": Hostile("device", _of(special(tarfile.CHRTYPE, device=(1, 3)))),
        "a block device": Hostile("device", _of(special(tarfile.BLKTYPE, device=(8, 0)))),
        "a named pipe": Hostile("fifo", _of(special(tarfile.FIFOTYPE))),
        "a sparse file": Hostile("sparse", _of(with_header("GNU.sparse.major", "1"))),
        "an unknown kind": Hostile("unknown_kind", _of(special(b"V"))),
        "a name twice": Hostile("twice", _of(file("a"), file("a"))),
        "a name twice, in other letters": Hostile("twice", _of(file("a"), file("./a"))),
        "a folder and a file": Hostile("twice", _of(special(tarfile.DIRTYPE, "a"), file("a"))),
        "a file below a file": Hostile("not_a_folder", _of(file("a"), file("a/b"))),
        "100,000 files": Hostile("too_many_files", many_files),
        "a zip bomb": Hostile("too_large", bomb),
        "headers without end": Hostile("too_large", many_headers),
        "a file of eight exabytes": Hostile("too_large", lambda: announcing(2**63)),
        "a huge extended header": Hostile(
            "extended_header", _of(with_header("comment", "x" * LARGE_HEADER))
        ),
        "a truncated compression": Hostile("truncated", lambda: packed(file("a"))[:-20]),
        "half an archive": Hostile("truncated", lambda: gzip.compress(_plain()[:700])),
        "no end": Hostile("truncated", lambda: gzip.compress(_plain()[:1536])),
        "half a file": Hostile("truncated", lambda: announcing(5000)),
        "a second archive behind it": Hostile("damaged", lambda: gzip.compress(2 * _plain())),
        "a wrong checksum of gzip": Hostile("not_an_archive", lambda: _flipped(packed(), -8)),
        "noise": Hostile("not_an_archive", lambda: os.urandom(3000)),
        "nothing": Hostile("truncated", lambda: b""),
        "a zip": Hostile("not_an_archive", lambda: b"PK\x03\x04" + bytes(3000)),
        "no tar": Hostile("not_an_archive", lambda: gzip.compress(b"hello " * 1000)),
        "no manifest": Hostile("no_manifest", lambda: gzip.compress(bytes(1024))),
        "a manifest that is no JSON": Hostile("manifest", lambda: packed(first=b"{")),
        "a manifest that is a list": Hostile("manifest", lambda: packed(first=b"[]")),
        "another module's name": Hostile("other_module", lambda: packed(first=manifest("echo"))),
        "another version": Hostile(
            "other_module", lambda: packed(first=manifest("clock", "1.0.1"))
        ),
    }
)


def _plain() -> bytes:
    return gzip.decompress(packed(file("a")))


def _flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 0xFF
    return bytes(changed)
