"""A repository grows by what is packed into it, and stays signed by one key."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from module_repositories import Behaviour, ServerModule
from stellwerk.errors import Conflict, ErrorCode, InvalidInput
from stellwerk.providers.repositories.checksums import sha256_of
from stellwerk.providers.repositories.index import parsed, written
from stellwerk.providers.repositories.publishing import publish
from stellwerk.providers.repositories.signatures import SigningKey, archive_message, is_signed

ONE = ServerModule("one")
CHANGED = ServerModule("one", behaviour=Behaviour(says={"changed": True}))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


def test_versions_are_added_to_what_is_there(repository: Path, tmp_path: Path) -> None:
    publish([ONE.write(tmp_path / "a")], repository)
    added = publish([ServerModule("one", "1.1").write(tmp_path / "b")], repository)
    entries = parsed((repository / "index.json").read_bytes()).entries
    assert [entry.version for entry in entries] == ["1.0.0", "1.1"]
    assert added == [entries[1]]
    assert all(sha256_of(repository / entry.file) == entry.sha256 for entry in entries)
    assert set(files(repository)) == {"index.json", "one-1.0.0.tar.gz", "one-1.1.tar.gz"}


def test_the_same_content_again_changes_nothing(repository: Path, tmp_path: Path) -> None:
    folder = ONE.write(tmp_path / "a")
    publish([folder], repository)
    before = files(repository)
    publish([folder], repository)
    assert files(repository) == before


def test_other_content_needs_another_version_or_to_be_asked_for(
    repository: Path, tmp_path: Path
) -> None:
    publish([ONE.write(tmp_path / "a")], repository)
    before, changed = files(repository), CHANGED.write(tmp_path / "b")
    with pytest.raises(Conflict, match=r"one 1\.0\.0 is in the repository already") as raised:
        publish([changed], repository)
    assert raised.value.code is ErrorCode.CONFLICT
    assert files(repository) == before
    (entry,) = publish([changed], repository, is_replacing=True)
    assert sha256_of(repository / entry.file) == entry.sha256
    assert files(repository).keys() == before.keys()


def test_two_folders_of_one_version_are_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"Two folders are one 1\.0\.0"):
        publish([ONE.write(tmp_path / "a"), CHANGED.write(tmp_path / "b")], repository)
    assert files(repository) == {}


def test_a_signed_repository_stays_signed_by_the_key_that_it_is_given(
    repository: Path, tmp_path: Path
) -> None:
    keys = [SigningKey.new(), SigningKey.new()]
    folders = [ServerModule(name).write(tmp_path / name) for name in ("one", "two")]
    for folder, key in zip(folders, keys, strict=True):
        publish([folder], repository, key=key)
    index = (repository / "index.json").read_bytes()
    signature = (repository / "index.json.sig").read_text()
    assert [is_signed(index, signature, key.public_key) for key in keys] == [False, True]
    for entry in parsed(index).entries:
        message = archive_message(entry.name, entry.version, entry.sha256)
        assert is_signed(message, entry.signature or "", keys[1].public_key)


def test_what_is_signed_says_when_it_was_published_and_stays_while_it_is_the_same(
    repository: Path, tmp_path: Path
) -> None:
    key, folder = SigningKey.new(), ONE.write(tmp_path / "a")
    first, again, more = (
        published(repository, folders, key)
        for folders in ([folder], [folder], [ServerModule("two").write(tmp_path / "b")])
    )
    assert first is not None
    assert first == again
    assert more is not None
    assert more > first


def test_it_is_never_older_than_what_it_replaces(repository: Path, tmp_path: Path) -> None:
    key = SigningKey.new()
    published(repository, [ONE.write(tmp_path / "a")], key)
    ahead = datetime.now(UTC) + timedelta(days=1)
    index = repository / "index.json"
    index.write_bytes(written(parsed(index.read_bytes()).entries, ahead))
    more = published(repository, [ServerModule("two").write(tmp_path / "b")], key)
    assert more == ahead


def published(repository: Path, folders: list[Path], key: SigningKey) -> datetime | None:
    publish(folders, repository, key=key)
    return parsed((repository / "index.json").read_bytes()).published_at


def test_nothing_is_added_to_a_signed_repository_without_its_key(
    repository: Path, tmp_path: Path
) -> None:
    publish([ONE.write(tmp_path / "a")], repository, key=SigningKey.new())
    before = files(repository)
    with pytest.raises(InvalidInput, match="its key is needed"):
        publish([ServerModule("two").write(tmp_path / "b")], repository)
    assert files(repository) == before


def test_an_archive_that_is_not_the_one_of_the_index_is_not_signed(
    repository: Path, tmp_path: Path
) -> None:
    publish([ONE.write(tmp_path / "a")], repository)
    (repository / "one-1.0.0.tar.gz").write_bytes(b"exchanged")
    with pytest.raises(InvalidInput, match="is not what the index names"):
        publish([ServerModule("two").write(tmp_path / "b")], repository, key=SigningKey.new())
