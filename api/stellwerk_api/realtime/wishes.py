"""What a client asks for besides the request itself: to wait (RFC 7240, section 4.3), or to watch.

The wait is taken out of what is forwarded, since Flask never waits.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request

from stellwerk.errors import FieldError, InvalidInput
from stellwerk_api.realtime.lists import MODULES, OWN_JOBS, LiveList

LONGEST_WAIT_S = 30

JOB = re.compile(r"/api/v1/jobs/[0-9a-fA-F-]{36}/?")
JOB_EVENTS = re.compile(r"/api/v1/jobs/(?P<job_id>[0-9a-fA-F-]{36})/events/?")
LIST_EVENTS = re.compile(r"/api/v1/(?P<jobs>jobs)/events/?|(/api/v1)?/modules/events/?")
# The first nine digits tell whether a number is longer than the longest wait.
_SECONDS = r"0*(?P<seconds>[0-9]{1,9})[0-9]*"
_WAIT = re.compile(rf'\s*wait\s*=\s*"?{_SECONDS}"?\s*(;.*)?', re.IGNORECASE)
_ANY_WAIT = re.compile(r"\s*wait\s*(=.*|;.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wish:
    """How long to wait (0: not at all), and what then remains of the query and of `Prefer`."""

    wait_s: int
    query: str
    prefer: str


def read_wish(request: Request) -> Wish:
    """Read `Prefer: wait=N`, and `?wait=N` where a job is polled; N is cut to 30.

    Raises InvalidInput for `?wait=` with anything but a number. (An unreadable preference is
    ignored, as RFC 7240 has it.)
    """
    preferred_s, prefer = _of_prefer(request.headers.getlist("prefer"))
    queried_s, query = _of_query(request)
    return Wish(min(max(preferred_s, queried_s), LONGEST_WAIT_S), query, prefer)


def watched_job(request: Request) -> str | None:
    """The id of the job whose events are asked for as a stream."""
    found = JOB_EVENTS.fullmatch(request.url.path)
    return found["job_id"].lower() if found and _wants_stream(request) else None


def watched_list(request: Request) -> LiveList | None:
    """The list whose events are asked for as a stream."""
    found = LIST_EVENTS.fullmatch(request.url.path)
    if not found or not _wants_stream(request):
        return None
    return OWN_JOBS if found["jobs"] else MODULES


def _wants_stream(request: Request) -> bool:
    accepts = "text/event-stream" in request.headers.get("accept", "").lower()
    return accepts and request.method == "GET"


def _of_prefer(values: list[str]) -> tuple[int, str]:
    preferences = [part for value in values for part in value.split(",")]
    waits = [found for part in preferences if (found := _WAIT.fullmatch(part))]
    kept = [part.strip() for part in preferences if not _ANY_WAIT.fullmatch(part)]
    return (int(waits[0]["seconds"]) if waits else 0), ", ".join(kept)


def _of_query(request: Request) -> tuple[int, str]:
    query = request.url.query
    if "wait" not in request.query_params or not JOB.fullmatch(request.url.path):
        return 0, query
    given = request.query_params.getlist("wait")
    wanted = re.fullmatch(_SECONDS, given[0]) if len(given) == 1 else None
    if wanted is None:
        reason = "must be a whole number of seconds, given once"
        raise InvalidInput(f"`wait` {reason}.", errors=[FieldError("wait", reason)])
    pairs = parse_qsl(query, keep_blank_values=True)
    return int(wanted["seconds"]), urlencode([pair for pair in pairs if pair[0] != "wait"])
