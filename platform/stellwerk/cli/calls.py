"""`stellwerk calls`: call numbers, follow the calls, and read the history."""

import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import click

from stellwerk.calls.states import ENDED, PROGRESS, CallState
from stellwerk.cli.api import Api, connect
from stellwerk.cli.output import emit_json, emit_table, json_option, say
from stellwerk.errors import ApiUnreachable
from stellwerk.money import money

Call = dict[str, Any]

PAGE = 200
POLL_S = 0.5
ENTERED_AT: Mapping[CallState, str] = MappingProxyType(  # by which a state is told that was brief
    {
        CallState.DIALING: "dialed_at",
        CallState.RINGING: "ringing_at",
        CallState.ANSWERED: "answered_at",
    }
)
UNREACHABLE_LIMIT_S = 120.0  # a platform that is being restarted is waited for
COLUMNS = ("created_at", "call_id", "state", "to", "duration_s", "hangup_cause", "cost")
FAILED = 1
EXIT_CODES: Mapping[str, int] = MappingProxyType(
    {
        CallState.COMPLETED: 0,
        CallState.FAILED: FAILED,
        CallState.CANCELLED: 6,
        CallState.BUSY: 7,
        CallState.NO_ANSWER: 7,
    }
)

call_argument = click.argument("call_id", metavar="CALL")


@click.group()
def calls() -> None:
    """Call numbers, follow the calls, hang up, and read the history."""


@calls.command()
@click.argument("number")
@click.option("--from", "first", metavar="NUMBER", help="Rung first, and then put through.")
@click.option("--caller-id", metavar="NUMBER", help="What the called one sees.")
@click.option("--timeout", "timeout_s", type=int, metavar="SECONDS", help="How long it rings.")
@click.option("--max-duration", "max_duration_s", type=int, metavar="SECONDS")
@click.option("--record", is_flag=True, help="Record it, after an announcement.")
@click.option("--idempotency-key", metavar="KEY", help="Sent again with it, it is the same call.")
@click.option("--no-follow", is_flag=True, help="Print the call's id and do not wait for its end.")
@json_option
def originate(
    number: str, *, idempotency_key: str | None, no_follow: bool, as_json: bool, **wanted: Any
) -> None:
    """Call NUMBER and follow the call to its end.

    Exits with 0 completed, 1 failed, 6 cancelled, 7 busy or not answered. Needs an API key, or
    `stellwerk login --audience telephony`.
    """
    given = {"to": number, "from": wanted.pop("first"), **wanted}
    body = {name: value for name, value in given.items() if value}
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    with connect() as api:
        accepted = api.post("/call", body, headers=headers)
        if not no_follow:
            say(f"accepted as {accepted['call_id']}")
            _leave_with(_told(api, accepted["call_id"], as_json=as_json), as_json=as_json)
    if as_json:
        emit_json(accepted)
    else:
        click.echo(accepted["call_id"])


@calls.command()
@call_argument
@click.option("--follow", "is_following", is_flag=True, help="Go on until the call has ended.")
@json_option
def status(call_id: str, *, is_following: bool, as_json: bool) -> None:
    """Show a call with what happened in it."""
    with connect() as api:
        if is_following:
            _leave_with(_told(api, call_id, as_json=as_json), as_json=as_json)
        found = api.get(f"/call-status/{call_id}")
    if as_json:
        emit_json(found)
    else:
        _report(found)


@calls.command()
@call_argument
@json_option
def hangup(call_id: str, *, as_json: bool) -> None:
    """Hang up."""
    with connect() as api:
        answer = api.post(f"/call/{call_id}/hangup")
    if as_json:
        emit_json(answer)
    else:
        say(f"{call_id}: {answer['state']}")


@calls.command()
@click.option("--number", help="Only calls of this number.")
@click.option("--state", type=click.Choice([state.value for state in CallState]))
@click.option("--since", metavar="TIME", help="Such as 2030-01-31T08:00:00Z.")
@click.option("--until", metavar="TIME")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@json_option
def history(*, limit: int, as_json: bool, **wanted: str | None) -> None:
    """List your calls, newest first."""
    with connect() as api:
        found = list(_listed(api, limit, wanted))
    if as_json:
        emit_json(found)
    else:
        emit_table([{**call, "cost": _cost(call)} for call in found], COLUMNS)


def _cost(call: Call) -> str:
    """Nothing while nobody knows it."""
    return "" if call["cost"] is None else money(call["cost"])


def _listed(api: Api, limit: int, wanted: Mapping[str, str | None]) -> Iterator[Call]:
    cursor = None
    while limit > 0:
        page = api.get("/call-history", **wanted, limit=min(limit, PAGE), cursor=cursor)
        yield from page["items"]
        limit -= len(page["items"])
        cursor = page["next_cursor"]
        if not cursor:
            return


def _told(api: Api, call_id: str, *, as_json: bool) -> Call:
    """Tell each change of a call until it has ended; returns it as it is then."""
    told: Call = {}
    for call in _looked_at(api, call_id):
        if as_json and call != told:
            emit_json(call)
        states = [] if as_json else _entered(call, told)
        for state in states:
            say(state)
        told = call
    return told


def _entered(call: Call, told: Call) -> list[str]:
    """The states entered since the call was `told`, with those that it has left again."""
    if call["state"] == told.get("state"):
        return []
    since = PROGRESS[CallState(told["state"])] if told else -1
    passed = [
        state
        for state, at in ENTERED_AT.items()
        if call[at] and since < PROGRESS[state] < PROGRESS[CallState(call["state"])]
    ]
    return [*passed, call["state"]]


def _looked_at(api: Api, call_id: str) -> Iterator[Call]:
    answered_at = time.monotonic()
    while True:
        try:
            call = api.get(f"/call-status/{call_id}")
        except ApiUnreachable:
            if time.monotonic() - answered_at > UNREACHABLE_LIMIT_S:
                raise
        else:
            answered_at = time.monotonic()
            yield call
            if call["state"] in ENDED:
                return
        time.sleep(POLL_S)


def _leave_with(call: Call, *, as_json: bool) -> None:
    if not as_json:
        _report(call)
    code = FAILED if call["uncertain"] else EXIT_CODES[call["state"]]
    click.get_current_context().exit(code)


def _report(call: Call) -> None:
    cause = f" ({call['hangup_cause']})" if call["hangup_cause"] else ""
    label = f", {call['provider']} simulator" if call["simulated"] else ""
    say(f"{call['call_id']}: {call['state']}{cause}{label}")
    for event in call["timeline"]:
        ended = f" {event['hangup_cause']}" if event["hangup_cause"] else ""
        say(f"  {event['at']}  {event['leg']:<5}  {event['event']}{ended}")
    if call["duration_s"] is not None:
        say(f"  {call['duration_s']} s, {call['billable_s']} s billable, {_cost(call)}")
    if call["uncertain"]:
        say("  Nobody can tell whether it was dialled: `stellwerk jobs resolve` settles it.")
