"""What a repository in a folder gives, and what is checked of every one's."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from archives import BOUNDS
from module_repositories import ServerModule, make_repository
from stellwerk.errors import (
    ConfigurationError,
    ErrorCode,
    ProviderRejected,
    ProviderUnavailable,
    Stopped,
)
from stellwerk.providers.repositories.choice import repositories
from stellwerk.providers.repositories.protocol import Entry, Source, SourceKind
from stellwerk.providers.repositories.reader import RepositoryReader, Rules
from stellwerk.providers.repositories.signatures import SigningKey, is_public_key
from stellwerk.settings import load_settings

KEY, OTHER_KEY = SigningKey.new(), SigningKey.new()
READER = RepositoryReader(Rules(1024 * 1024, 64 * 1024, BOUNDS, 1.0, 1.0))


def unheeded(share: float) -> None:
    """Nobody looks at the progress."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    modules = [ServerModule("one"), ServerModule("two")]
    return make_repository(tmp_path / "repository", *modules, key=KEY)


@pytest.fixture
def source(folder: Path) -> Source:
    return Source(SourceKind.FILE, str(folder), KEY.public_key)


@pytest.fixture
def entry(source: Source) -> Entry:
    return entries(source)[0]


def entries(source: Source) -> tuple[Entry, ...]:
    index = READER.read_index(source)
    assert index is not None
    return index.entries


def why(raised: pytest.ExceptionInfo[ProviderRejected]) -> tuple[ErrorCode, str]:
    return raised.value.code, raised.value.details["reason"]


def test_a_module_comes_from_a_folder_into_another(
    source: Source, entry: Entry, tmp_path: Path
) -> None:
    archive, release, shares = tmp_path / "downloads" / "one", tmp_path / "release", list[float]()
    READER.download(source, entry, archive, shares.append)
    READER.verify(source, entry, archive)
    READER.unpack(entry, archive, release, unheeded)
    assert shares[-1] == 1.0
    assert {path.name for path in release.iterdir()} > {"module.json", "server.py"}


def test_an_index_is_read_again_only_when_it_or_its_signature_changed(
    source: Source, folder: Path
) -> None:
    index = READER.read_index(source)
    assert index is not None
    assert READER.read_index(source, index.etag) is None
    make_repository(folder, ServerModule("three"), key=KEY)
    again = READER.read_index(source, index.etag)
    assert again is not None
    assert (len(again.entries), again.etag == index.etag) == (3, False)


def test_without_a_key_nobody_asks_for_signatures(folder: Path, tmp_path: Path) -> None:
    (folder / "index.json.sig").unlink()
    unsigned = Source(SourceKind.FILE, str(folder))
    entry = replace(entries(unsigned)[0], signature=None)
    READER.download(unsigned, entry, tmp_path / "archive", unheeded)
    READER.verify(unsigned, entry, tmp_path / "archive")


@pytest.mark.parametrize(
    "signature", ["", "noise", OTHER_KEY.sign(b"{}")], ids=["none", "noise", "of another key"]
)
def test_an_index_that_the_key_did_not_sign_is_not_even_parsed(
    signature: str, source: Source, folder: Path
) -> None:
    (folder / "index.json").write_text("no JSON")
    (folder / "index.json.sig").write_text(signature)
    with pytest.raises(ProviderRejected) as raised:
        READER.read_index(source)
    assert why(raised) == (ErrorCode.MODULE_SIGNATURE_WRONG, "index")


def test_an_index_with_a_changed_byte_is_refused(source: Source, folder: Path) -> None:
    content = (folder / "index.json").read_bytes()
    (folder / "index.json").write_bytes(content.replace(b"Of", b"of") + b" ")
    with pytest.raises(ProviderRejected) as raised:
        READER.read_index(source)
    assert why(raised) == (ErrorCode.MODULE_SIGNATURE_WRONG, "index")


def test_a_signed_repository_has_its_signature(source: Source, folder: Path) -> None:
    (folder / "index.json.sig").unlink()
    with pytest.raises(ProviderRejected, match=r"has no index\.json\.sig"):
        READER.read_index(source)


def test_an_archive_with_a_changed_byte_is_not_the_one(
    source: Source, entry: Entry, folder: Path
) -> None:
    archive = folder / entry.file
    content = archive.read_bytes()
    archive.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ProviderRejected) as raised:
        READER.verify(source, entry, archive)
    assert why(raised) == (ErrorCode.MODULE_CHECKSUM_WRONG, "sha256")
    archive.write_bytes(content[:-1])
    with pytest.raises(ProviderRejected) as raised:
        READER.verify(source, entry, archive)
    assert why(raised) == (ErrorCode.MODULE_CHECKSUM_WRONG, "size")


def test_a_signature_is_worth_nothing_beside_another_name_version_or_key(
    source: Source, entry: Entry, folder: Path
) -> None:
    archive = folder / entry.file
    READER.verify(source, entry, archive)
    for other in (replace(entry, name="other"), replace(entry, version="9.9")):
        with pytest.raises(ProviderRejected) as raised:
            READER.verify(source, other, archive)
        assert why(raised) == (ErrorCode.MODULE_SIGNATURE_WRONG, "archive")
    with pytest.raises(ProviderRejected) as raised:
        READER.verify(replace(source, public_key=OTHER_KEY.public_key), entry, archive)
    assert why(raised) == (ErrorCode.MODULE_SIGNATURE_WRONG, "archive")
    with pytest.raises(ProviderRejected) as raised:
        READER.verify(source, replace(entry, signature=None), archive)
    assert why(raised) == (ErrorCode.MODULE_SIGNATURE_WRONG, "missing")


def test_what_is_announced_as_too_large_is_not_fetched(
    source: Source, entry: Entry, tmp_path: Path
) -> None:
    with pytest.raises(ProviderRejected) as raised:
        READER.download(source, replace(entry, size_bytes=64 * 1024 + 1), tmp_path / "a", unheeded)
    assert why(raised) == (ErrorCode.MODULE_ARCHIVE_REFUSED, "archive_too_large")
    with pytest.raises(ProviderRejected) as raised:
        READER.download(source, replace(entry, size_bytes=10), tmp_path / "a", unheeded)
    assert why(raised) == (ErrorCode.MODULE_ARCHIVE_REFUSED, "larger_than_listed")
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]


def test_a_download_that_is_given_up_leaves_nothing(
    source: Source, entry: Entry, tmp_path: Path
) -> None:
    def stop(_: float) -> None:
        raise Stopped("not now")

    with pytest.raises(Stopped):
        READER.download(source, entry, tmp_path / "a", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]


def test_a_folder_that_is_not_there_may_be_mounted_later(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="There is no folder"):
        READER.read_index(Source(SourceKind.FILE, str(tmp_path / "nowhere")))


def test_a_folder_without_an_index_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected, match=r"has no index\.json"):
        READER.read_index(Source(SourceKind.FILE, str(tmp_path)))


def test_a_named_pipe_instead_of_an_index_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "index.json")
    with pytest.raises(ProviderRejected, match="is not a file"):
        READER.read_index(Source(SourceKind.FILE, str(tmp_path)))


def test_an_index_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(ProviderRejected) as raised:
        READER.read_index(Source(SourceKind.FILE, str(tmp_path)))
    assert why(raised) == (ErrorCode.REPOSITORY_DAMAGED, "too_large")


def test_certificates_that_are_not_there_are_told_at_the_start(tmp_path: Path) -> None:
    settings = load_settings(module_repository_ca_file=tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match="STELLWERK_MODULE_REPOSITORY_CA_FILE"):
        repositories(settings)


def test_a_key_is_read_from_its_file_and_others_are_not() -> None:
    assert SigningKey.from_pem(KEY.pem).public_key == KEY.public_key
    assert is_public_key(KEY.public_key)
    assert not is_public_key("short")
    with pytest.raises(ValueError, match=r"Unable to load|deserialize"):
        SigningKey.from_pem(b"noise")
