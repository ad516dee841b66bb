"""Files of jobs, whole or in ranges (RFC 9110, section 14), never as anything a browser runs."""

from collections.abc import Iterable, Iterator
from itertools import chain
from uuid import UUID

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import dump_options_header

from stellwerk.errors import Gone, NotPermitted, ProviderRejected
from stellwerk.jobs import queries, sealed_files
from stellwerk.jobs.model import JobArtifact
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.jobs.downloads import Downloads
from stellwerk_api.jobs.reading import document, looked_at, note_taken
from stellwerk_api.json_answers import ApiResponse
from stellwerk_api.slow_readers import LARGE_BYTES

DOWNLOADS = Downloads()


def served(job_id: UUID, name: str) -> Response:
    """The answer to GET and HEAD: 200, 206, 304 or 416."""
    shown = looked_at(job_id)
    by = caller()
    with platform().runtime.sessions() as session:
        found = queries.artifact(session, job_id, name)
    if found.sealed_key:
        if shown.owner_id != by.user_id:
            raise NotPermitted("The job is sensitive: its files are for its owner alone.")
        operation = platform().runtime.registry.get(document(shown)["operation"])
        # a key that may not ask for it may not have it either
        by.require(operation.files_permission or operation.permission)
    headers = _headers(found)
    if request.if_none_match.contains_weak(found.sha256):
        return Response(status=304, headers=headers)
    wanted = _range(found)
    start, end = wanted or (0, found.size_bytes)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.size_bytes}"
    headers["Content-Length"] = str(end - start)
    body: Iterable[bytes] = ()
    if request.method != "HEAD":
        body = _body(found, start, end - start)
        note_taken(shown, job_id)
    return ApiResponse(body, 206 if wanted else 200, headers, mimetype=found.content_type)


def _headers(found: JobArtifact) -> dict[str, str]:
    return {
        "ETag": f'"{found.sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": dump_options_header("attachment", {"filename": found.name}),
        "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    }


def _range(found: JobArtifact) -> tuple[int, int] | None:
    """The single range asked for; several, or ones made for another version, are ignored."""
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    if not _is_of_this_version(found):
        return None
    limits = wanted.range_for_length(found.size_bytes)
    if limits is None:
        raise RequestedRangeNotSatisfiable(length=found.size_bytes)
    return limits


def _is_of_this_version(found: JobArtifact) -> bool:
    """If-Range compares strongly, and dates never match: the entity tag is what we give out."""
    etag = f'"{found.sha256}"'
    return request.headers.get("If-Range", etag) == etag


def _body(found: JobArtifact, start: int, length: int) -> Iterable[bytes]:
    """Its bytes; raises Unavailable where too many read large ones already."""
    if length <= LARGE_BYTES:
        return _begun(found, start, length)
    download = DOWNLOADS.begin(caller().user_id)
    try:
        download.blocks = _begun(found, start, length)
    except BaseException:
        download.close()
        raise
    return download


def _begun(found: JobArtifact, start: int, length: int) -> Iterator[bytes]:
    """The first block is read now, while an error can still be answered."""
    blocks = _blocks(found, start, length)
    try:
        first = next(blocks, b"")
    except ProviderRejected as exc:
        raise Gone(f"The file of {found.name!r} is no longer in the store.") from exc
    return chain([first], blocks)


def _blocks(found: JobArtifact, start: int, length: int) -> Iterator[bytes]:
    store = platform().artifacts
    sealed = sealed_files.sealed_file(platform().runtime.vault, found)
    if sealed:
        return sealed.read(store, start=start, length=length)
    return store.read(found.storage_key, start=start, length=length)
