"""A repository behind an HTTPS address. Redirects are not followed: its address is its own."""

import ssl
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stellwerk.providers.outbound.targets import TargetRules, refused
from stellwerk.providers.repositories.answers import Answer, Limits, asked
from stellwerk.providers.repositories.index import INDEX, INDEX_SIGNATURE
from stellwerk.providers.repositories.protocol import Entry, Progress
from stellwerk.providers.repositories.refusals import repository_damaged
from stellwerk.providers.repositories.sources import Fetched
from stellwerk.providers.repositories.transfer import disk_told, received, store
from stellwerk.providers.vendor_errors import provider_error

LONGEST_ETAG = 200  # characters
OK, NOT_MODIFIED = 200, 304
REDIRECTS = range(300, 400)
_NO_TIME_S = 0.01


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for the index, and for each read; for a whole archive. Bytes of an index."""

    answer_s: float
    download_s: float
    index_bytes: int


class HttpsRepository:
    """Each file is asked for on a connection of its own."""

    def __init__(self, location: str, trust: ssl.SSLContext, patience: Patience) -> None:
        url = TargetRules(allow_http=False).checked(location)
        if url.query is not None or url.fragment is not None:
            raise refused("The URL of a repository is that of a folder, without ? and #.")
        self._url = location.rstrip("/")
        self._trust = trust
        self._patience = patience

    def fetch(self, etag: str | None, *, signed: bool) -> Fetched | None:
        """The index and its signature, both within the time for one answer."""
        until = time.monotonic() + self._patience.answer_s
        with self._asked(INDEX, until, {"If-None-Match": etag} if etag else {}) as answer:
            if etag and answer.status == NOT_MODIFIED:
                return None
            content = self._content(answer, INDEX)
            found = answer.headers.get("ETag") or ""
        signature = b""
        if signed:
            with self._asked(INDEX_SIGNATURE, until, {}) as answer:
                signature = self._content(answer, INDEX_SIGNATURE)
        return Fetched(content, signature, found if 0 < len(found) <= LONGEST_ETAG else None)

    def download(self, entry: Entry, target: Path, progress: Progress) -> None:
        """Stream the archive to the disk."""
        until = time.monotonic() + self._patience.download_s
        with self._asked(entry.file, until, {}) as answer:
            self._require_ok(answer, entry.file)
            with disk_told(f"{target} cannot be written"):
                store(answer, entry, target, progress)

    def _asked(
        self, name: str, until: float, headers: Mapping[str, str]
    ) -> AbstractContextManager[Answer]:
        whole_s = max(until - time.monotonic(), _NO_TIME_S)
        limits = Limits(read_s=self._patience.answer_s, whole_s=whole_s)
        return asked(f"{self._url}/{quote(name)}", headers, self._trust, limits)

    def _content(self, answer: Answer, name: str) -> bytes:
        self._require_ok(answer, name)
        return received(answer, self._patience.index_bytes, name)

    def _require_ok(self, answer: Answer, name: str) -> None:
        if answer.status in REDIRECTS:
            told = f"its address answers {name} with a redirect, which is not followed"
            raise repository_damaged("redirect", told)
        if answer.status != OK:
            raise provider_error(
                "The repository", answer.status, message=name, headers=answer.headers
            )
