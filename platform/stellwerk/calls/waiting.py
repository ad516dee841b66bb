"""How long a job waits for its call, and what it makes of one that nobody ended."""

from datetime import datetime, timedelta
from uuid import UUID

from stellwerk.calls import causes, settling, unheard
from stellwerk.calls.model import Call
from stellwerk.calls.service import call_of_job
from stellwerk.calls.states import ENDED, CallState
from stellwerk.errors import ErrorCode
from stellwerk.jobs.runtime import Runtime, unit

MARGIN_S = 30.0  # after the last moment at which it can be dialled
SETTLING_S = 300.0  # after the last moment at which it can last: a switch may be away meanwhile


def at_first_s(runtime: Runtime) -> float:
    """For how many seconds it is worth while to wait for a call that was asked for just now."""
    return runtime.settings.call_dial_within_s + MARGIN_S


def longest_s(runtime: Runtime, job_id: UUID) -> float:
    """For how many seconds it is worth while to wait."""
    with runtime.sessions() as session:
        call = call_of_job(session, job_id, with_numbers=False)
        left = _until(runtime, call) - settling.now_of(session)
    return max(1.0, left.total_seconds())


def is_over(runtime: Runtime, job_id: UUID) -> bool:
    """Whether the call has ended; one that is overdue is ended here.

    What was not dialled in time certainly is not any more. Another is hung up, in case it still
    goes on.
    """
    with runtime.sessions() as session:
        known = call_of_job(session, job_id, with_numbers=False)
        if known.state in ENDED:
            return True
        call_id = known.id
    with unit(runtime) as work:
        call = settling.locked(work.session, [call_id])[call_id]
        if call.state in ENDED:
            return True
        if settling.now_of(work.session) < _until(runtime, call):
            return False
        if call.state == CallState.QUEUED:
            cause, refusal = causes.NOT_DIALLED_IN_TIME, ErrorCode.PROVIDER_UNAVAILABLE
            settling.end(work, call, CallState.FAILED, cause, refusal=refusal)
            return True
        call.hangup_asked_at = call.hangup_asked_at or settling.now_of(work.session)
        unheard.end(runtime, work, call)
        settling.notify(work.session)
        return True


def _until(runtime: Runtime, call: Call) -> datetime:
    if call.state == CallState.QUEUED or call.intended_at is None:
        since = call.asked_at or call.created_at
        return since + timedelta(seconds=runtime.settings.call_dial_within_s + MARGIN_S)
    lasts_s = 2 * call.ring_timeout_s + call.max_duration_s + SETTLING_S
    return call.intended_at + timedelta(seconds=lasts_s)
