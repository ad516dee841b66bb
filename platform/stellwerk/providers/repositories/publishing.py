"""Puts archives into a repository's folder: its index names them, and is signed with its key."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from stellwerk.errors import Conflict, InvalidInput
from stellwerk.providers.repositories.checksums import content_sha256_of, sha256_of
from stellwerk.providers.repositories.index import INDEX, INDEX_SIGNATURE, parsed, written
from stellwerk.providers.repositories.packing import Packed, pack, signature_of
from stellwerk.providers.repositories.protocol import Entry, Index
from stellwerk.providers.repositories.signatures import SigningKey, archive_message, is_signed

_Named = tuple[str, str]  # name and version


def publish(
    folders: Sequence[Path],
    repository: Path,
    *,
    key: SigningKey | None = None,
    is_replacing: bool = False,
) -> list[Entry]:
    """Pack each folder into the repository, which is made where there is none.

    A version that is there already with the same content stays as it is. Raises Conflict for one
    with other content, unless `is_replacing`; InvalidInput for what cannot be packed, and for a
    signed repository without its key. Nothing has changed then.
    """
    former = _former(repository)
    known = {_named(entry): entry for entry in former.entries}
    if key is None and (repository / INDEX_SIGNATURE).exists():
        raise InvalidInput(f"{repository} is signed: its key is needed to add to it.")
    repository.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".packing-", dir=repository) as temporary:
        packed = {_named(one.entry): one for one in _packed(folders, Path(temporary))}
        changed = [one for one in packed.values() if _differs(one, known, repository)]
        if not is_replacing:
            _refuse_replacing(changed, known)
        entries = known | {_named(one.entry): one.entry for one in changed}
        for one in changed:
            one.path.replace(repository / one.entry.file)
        if key:
            entries = {name: _signed(one, repository, key) for name, one in entries.items()}
        published_at = _published_at(former, entries.values()) if key else None
        content = written(entries.values(), published_at)
        _write_index(content, repository, Path(temporary), key)
    return [entries[name] for name in packed]


def _former(repository: Path) -> Index:
    with suppress(FileNotFoundError):
        return parsed((repository / INDEX).read_bytes())
    return Index(())


def _published_at(former: Index, entries: Iterable[Entry]) -> datetime:
    """Now, or when the same was published; never before the former, whose clock may be ahead."""
    if former.published_at is None:
        return datetime.now(UTC)
    is_same = written(former.entries) == written(entries)
    return former.published_at if is_same else max(datetime.now(UTC), former.published_at)


def _named(entry: Entry) -> _Named:
    return entry.name, entry.version


def _packed(folders: Iterable[Path], target: Path) -> Iterable[Packed]:
    seen: set[_Named] = set()
    for folder in folders:
        one = pack(folder, target)
        if _named(one.entry) in seen:
            raise InvalidInput(f"Two folders are {one.entry.name} {one.entry.version}.")
        seen.add(_named(one.entry))
        yield one


def _differs(packed: Packed, known: dict[_Named, Entry], repository: Path) -> bool:
    """Compared as unpacked: compression differs from one machine to another."""
    former = known.get(_named(packed.entry))
    if former is None:
        return True
    if former.sha256 == packed.entry.sha256:
        return not (repository / former.file).exists()
    try:
        return content_sha256_of(repository / former.file) != content_sha256_of(packed.path)
    except (OSError, EOFError):  # it is gone, or damaged
        return True


def _refuse_replacing(changed: Iterable[Packed], known: dict[_Named, Entry]) -> None:
    for one in changed:
        former = known.get(_named(one.entry))
        if former is not None and former.sha256 != one.entry.sha256:
            raise Conflict(
                f"{former.name} {former.version} is in the repository already, with other content."
                " Raise the version, or pack with --replace."
            )


def _signed(entry: Entry, repository: Path, key: SigningKey) -> Entry:
    """With a signature of this key; one of an older time is made only over what is really there."""
    message = archive_message(entry.name, entry.version, entry.sha256)
    if entry.signature and is_signed(message, entry.signature, key.public_key):
        return entry
    archive = repository / entry.file
    if not archive.exists() or sha256_of(archive) != entry.sha256:
        raise InvalidInput(f"{archive} is not what the index names: it is not signed.")
    return replace(entry, signature=signature_of(entry, key))


def _write_index(content: bytes, repository: Path, temporary: Path, key: SigningKey | None) -> None:
    files = {INDEX: content}
    if key:
        files[INDEX_SIGNATURE] = f"{key.sign(content)}\n".encode()
    for name, data in files.items():
        (temporary / name).write_bytes(data)
    for name in files:
        (temporary / name).replace(repository / name)
