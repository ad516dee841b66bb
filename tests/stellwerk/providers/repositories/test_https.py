"""A repository over real HTTPS: what it gives, and that nobody waits for one that misbehaves."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from archives import BOUNDS
from https_repositories import (
    MISBEHAVIOURS,
    HttpsServer,
    endless,
    failing,
    https_server,
    page,
    redirect,
)
from module_repositories import ServerModule, make_repository
from stellwerk.errors import ErrorCode, ProviderRejected, ProviderUnavailable, Stopped
from stellwerk.providers.repositories.protocol import Source, SourceKind
from stellwerk.providers.repositories.reader import RepositoryReader, Rules
from stellwerk.providers.repositories.signatures import SigningKey
from stellwerk.stack.ports import free_port

PATIENT_S, HASTY_S, AT_MOST_S = 60.0, 0.4, 50.0
KEY = SigningKey.new()
MIB = 1024 * 1024


def unheeded(share: float) -> None:
    """Nobody looks at the progress."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def serving(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HttpsServer]:
    folder = tmp_path_factory.mktemp("repository")
    make_repository(folder, ServerModule("one"), ServerModule("one", "1.1.0"), key=KEY)
    with https_server(folder, authority) as server:
        yield server


@pytest.fixture
def server(serving: HttpsServer) -> HttpsServer:
    serving.instead = None
    serving.asked.clear()
    return serving


@pytest.fixture(scope="module")
def rules(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Rules:
    ca_file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return Rules(MIB, 10 * MIB, BOUNDS, PATIENT_S, PATIENT_S, ca_file)


@pytest.fixture(scope="module")
def reader(rules: Rules) -> RepositoryReader:
    return RepositoryReader(rules)


@pytest.fixture(scope="module")
def hasty(rules: Rules) -> RepositoryReader:
    return RepositoryReader(replace(rules, answer_s=HASTY_S, download_s=HASTY_S))


def source(server: HttpsServer, key: str | None = None) -> Source:
    return Source(SourceKind.HTTPS, server.url, key)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_an_index_and_an_archive_come_over_tls(
    server: HttpsServer, reader: RepositoryReader, tmp_path: Path
) -> None:
    at = source(server, KEY.public_key)
    index = reader.read_index(at)
    assert index is not None
    assert [entry.version for entry in index.entries] == ["1.0.0", "1.1.0"]
    entry, archive, shares = index.entries[1], tmp_path / "new" / "archive", list[float]()
    reader.download(at, entry, archive, shares.append)
    reader.verify(at, entry, archive)
    assert (names(archive.parent), shares) == (["archive"], [1.0])


def test_an_index_that_did_not_change_is_not_read_again(
    server: HttpsServer, reader: RepositoryReader
) -> None:
    index = reader.read_index(source(server))
    assert index is not None
    assert index.etag
    assert reader.read_index(source(server), index.etag) is None
    assert [status for _, status in server.asked] == [200, 304]


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_nobody_waits_for_a_server_longer_than_the_settings_say(
    name: str,
    server: HttpsServer,
    reader: RepositoryReader,
    hasty: RepositoryReader,
    tmp_path: Path,
) -> None:
    index = reader.read_index(source(server))
    assert index is not None
    server.instead = MISBEHAVIOURS[name]
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable, match=r"The repository|The connection"):
        hasty.read_index(source(server))
    with pytest.raises(ProviderUnavailable, match=r"The repository|The connection"):
        hasty.download(source(server), index.entries[0], tmp_path / "archive", unheeded)
    assert time.monotonic() - began < AT_MOST_S
    assert names(tmp_path) == []


def test_a_server_that_takes_connections_and_says_nothing_of_tls_is_left(
    hasty: RepositoryReader,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = Source(SourceKind.HTTPS, f"https://127.0.0.1:{listener.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(
            ProviderUnavailable, match=r"The repository (sent nothing|did not answer)"
        ):
            hasty.read_index(at)
    assert time.monotonic() - began < AT_MOST_S


def test_a_server_that_is_down_is_told_as_such(reader: RepositoryReader) -> None:
    at = Source(SourceKind.HTTPS, f"https://127.0.0.1:{free_port()}")
    with pytest.raises(ProviderUnavailable, match="The connection to the repository failed"):
        reader.read_index(at)


def test_a_server_says_when_to_come_back(server: HttpsServer, reader: RepositoryReader) -> None:
    server.instead = failing(503, Retry_After="7")
    with pytest.raises(ProviderUnavailable, match="answered 503") as raised:
        reader.read_index(source(server))
    assert raised.value.retry_after_s == 7


def test_a_certificate_of_nobody_known_is_refused(server: HttpsServer, rules: Rules) -> None:
    with pytest.raises(ProviderUnavailable, match="check its certificate"):
        RepositoryReader(replace(rules, ca_file=None)).read_index(source(server))


def test_a_redirect_is_not_followed(server: HttpsServer, reader: RepositoryReader) -> None:
    server.instead = redirect
    with pytest.raises(ProviderRejected, match="with a redirect") as raised:
        reader.read_index(source(server))
    assert raised.value.code is ErrorCode.REPOSITORY_DAMAGED
    assert server.asked == [("/modules/index.json", 302)]


def test_a_page_for_people_is_no_index(server: HttpsServer, reader: RepositoryReader) -> None:
    server.instead = page
    with pytest.raises(ProviderRejected, match="is not JSON"):
        reader.read_index(source(server))


def test_more_than_an_index_may_have_is_not_read(
    server: HttpsServer, reader: RepositoryReader
) -> None:
    server.instead = endless
    with pytest.raises(ProviderRejected, match=f"more than {MIB} bytes") as raised:
        reader.read_index(source(server))
    assert raised.value.details == {"reason": "too_large"}


def test_more_than_the_index_says_is_not_stored(
    server: HttpsServer, reader: RepositoryReader, tmp_path: Path
) -> None:
    index = reader.read_index(source(server))
    assert index is not None
    server.instead = endless
    with pytest.raises(ProviderRejected) as raised:
        reader.download(source(server), index.entries[0], tmp_path / "archive", unheeded)
    assert raised.value.code is ErrorCode.MODULE_ARCHIVE_REFUSED
    assert raised.value.details == {"reason": "larger_than_listed"}
    assert names(tmp_path) == []


def test_whoever_looks_at_the_progress_may_give_up(
    server: HttpsServer, reader: RepositoryReader, tmp_path: Path
) -> None:
    def stop(_: float) -> None:
        raise Stopped("not now")

    index = reader.read_index(source(server))
    assert index is not None
    with pytest.raises(Stopped):
        reader.download(source(server), index.entries[0], tmp_path / "archive", stop)
    assert names(tmp_path) == []


@pytest.mark.parametrize("status", [404, 403])
def test_what_is_not_there_is_no_matter_of_waiting(
    status: int, server: HttpsServer, reader: RepositoryReader
) -> None:
    server.instead = failing(status)
    with pytest.raises(ProviderRejected, match=f"answered {status}: index.json"):
        reader.read_index(source(server))


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1/", "https://ada:secret@127.0.0.1/", "https://127.0.0.1/?a", "ftp://x/", "x"],
)
def test_other_addresses_are_not_asked(location: str, reader: RepositoryReader) -> None:
    with pytest.raises(ProviderRejected) as raised:
        reader.read_index(Source(SourceKind.HTTPS, location))
    assert raised.value.code is ErrorCode.TARGET_NOT_ALLOWED
