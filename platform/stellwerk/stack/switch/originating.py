"""`originate` from its arguments to its answer, and what the one who answers then does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from stellwerk.stack.switch.channel import Channel, microseconds
from stellwerk.stack.switch.dialplan import EXTENSIONS, Step
from stellwerk.stack.switch.dialstring import DEFAULT_RING_S, Order, Target, order_of, targets_of
from stellwerk.stack.switch.exchange import Exchange, dice
from stellwerk.stack.switch.lines import (
    THREAD_S,
    Line,
    Refused,
    execute,
    executed,
    open_line,
    until_hung_up,
)
from stellwerk.stack.switch.recording import Recording

USAGE = (
    "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] "
    "[<cid_name>] [<cid_num>] [<timeout_sec>]\n"
)
EARLY_S = 0.9  # a timeout may fire so much before its time
LEG_TIMEOUT_LATE_S = 0.9  # and that of a single leg so much after it
PLAYBACK_S = 1.0  # whatever is played is so long, unless it never ends


async def originate(exchange: Exchange, arguments: str) -> str:
    """Dial one target after the other until somebody answers; the text of the answer."""
    order = order_of(arguments)
    if order is None:
        return USAGE
    cause = "DESTINATION_OUT_OF_ORDER"
    for target in order.targets:
        try:
            line = await reach(exchange, target, order.variables, order.ring_s)
        except Refused as exc:
            cause = str(exc)
            continue
        exchange.run(_perform(exchange, line, steps_of(order)))
        await exchange.jitter(THREAD_S)
        return f"+OK {line.near.unique_id}\n"
    return f"-ERR {cause}\n"


def steps_of(order: Order) -> Sequence[Step]:
    """What the one who answers does: applications, or those of an extension."""
    return order.steps or EXTENSIONS.get(order.extension, (Step("hangup", "NO_ROUTE_DESTINATION"),))


async def reach(
    exchange: Exchange,
    target: Target,
    variables: dict[str, str],
    ring_s: float,
    waiting: Channel | None = None,
) -> Line:
    """A line on which somebody has answered; raises Refused with the cause where nobody does.

    `waiting` is the channel that it is dialled for: its end ends the ringing too.
    """
    own = variables | target.variables
    line = await open_line(exchange, target, own)
    near = line.near
    takes_early_media = own.get("ignore_early_media") != "true"
    through = near.media if takes_early_media else near.answered
    exchange.run(_on_answer(exchange, near))
    limit_s, cause = _patience(own, ring_s)
    ends = [near.hung_up, through] + ([waiting.hung_up] if waiting else [])
    await first_of(*ends, timeout_s=limit_s / exchange.options.speed)
    if through.is_set() and not near.cause:
        await _confirm(exchange, near)
    if near.cause:
        await _job_after(exchange, near)
    elif not through.is_set():
        exchange.hang_up(near, "ORIGINATOR_CANCEL" if waiting and waiting.cause else cause)
        await exchange.jitter(2 * THREAD_S)
    if near.cause:
        raise Refused(near.cause)
    return line


def _patience(variables: dict[str, str], ring_s: float) -> tuple[float, str]:
    """After how long which cause ends the ringing."""
    leg = variables.get("leg_timeout", "")
    if leg.isdigit() and float(leg) < ring_s:
        return float(leg) + LEG_TIMEOUT_LATE_S, "ALLOTTED_TIMEOUT"
    return max(ring_s - dice.uniform(0, EARLY_S), 0.1), "NO_ANSWER"


async def _job_after(exchange: Exchange, near: Channel) -> None:
    """When the answer of a call that failed comes: over SIP after the channel's report."""
    if near.technology == "sofia" and not near.answered.is_set():
        await near.completed.wait()
    await exchange.jitter(THREAD_S)


async def first_of(*events: asyncio.Event, timeout_s: float | None = None) -> None:
    """Wait until one of them is set, or the time is over."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _on_answer(exchange: Exchange, near: Channel) -> None:
    """What every variable whose name begins with `execute_on_answer` asks for."""
    await first_of(near.answered, near.hung_up)
    if near.cause:
        return
    for name, value in tuple(near.variables.items()):
        if name.startswith("execute_on_answer"):
            app, _, data = value.replace("::", " ", 1).partition(" ")
            exchange.run(perform(exchange, near, Step(app, data)))


async def _confirm(exchange: Exchange, near: Channel) -> None:
    """The application that who answers hears before they are put through."""
    if near.variables.get("group_confirm_key") == "exec":
        app, _, data = near.variables.get("group_confirm_file", "").partition(" ")
        await perform(exchange, near, Step(app, data))


async def _perform(exchange: Exchange, line: Line, steps: Sequence[Step]) -> None:
    near = line.near
    near.state = "CS_EXECUTE"
    for step in steps:
        if near.cause:
            return
        await perform(exchange, near, step)
    exchange.hang_up(near, "NORMAL_CLEARING")


async def perform(exchange: Exchange, near: Channel, step: Step) -> None:
    """One application on a channel; one that is not known does nothing."""
    with near.working():
        execute(exchange, near, step)
        if app := APPS.get(step.app):
            await app(exchange, near, step.data)
        executed(exchange, near, step)


async def _park(exchange: Exchange, near: Channel, _: str) -> None:
    exchange.emit("CHANNEL_PARK", near)
    await near.hung_up.wait()


async def _echo(_: Exchange, near: Channel, __: str) -> None:
    await near.hung_up.wait()


async def _hang_up(exchange: Exchange, near: Channel, cause: str) -> None:
    exchange.hang_up(near, cause or "NORMAL_CLEARING")


async def _sleep(exchange: Exchange, near: Channel, milliseconds: str) -> None:
    await until_hung_up(exchange, near, int(milliseconds or 0) / 1000)


async def _record(exchange: Exchange, near: Channel, path: str) -> None:
    Recording(exchange, near, path).begin()


async def _schedule(exchange: Exchange, near: Channel, data: str) -> None:
    exchange.run(_hang_up_later(exchange, near, data))


async def _hang_up_later(exchange: Exchange, near: Channel, data: str) -> None:
    """`+SECONDS CAUSE`: the longest that a call may last."""
    after, _, cause = data.partition(" ")
    await until_hung_up(exchange, near, float(after.lstrip("+") or 0))
    exchange.hang_up(near, cause or "ALLOTTED_TIMEOUT")


async def _play(exchange: Exchange, near: Channel, what: str) -> None:
    is_endless = "loops=-1" in what
    exchange.emit("PLAYBACK_START", near, ("Playback-File-Path", what))
    await until_hung_up(exchange, near, 3600.0 if is_endless else PLAYBACK_S)
    status = "break" if near.cause else "done"
    exchange.emit("PLAYBACK_STOP", near, ("Playback-File-Path", what), ("Playback-Status", status))


async def _bridge(exchange: Exchange, near: Channel, data: str) -> None:
    """Dial a second leg, and connect both until one of them hangs up."""
    targets, variables = targets_of(data)
    cause = "DESTINATION_OUT_OF_ORDER"
    for target in targets:
        said = (variables | target.variables).get("originate_timeout", "")
        ring_s = float(said) if said.isdigit() else DEFAULT_RING_S
        shown = {"origination_caller_id_number": near.number, "originator": near.unique_id}
        try:
            line = await reach(exchange, target, shown | variables, ring_s, near)
        except Refused as exc:
            cause = str(exc)
            continue
        await _talk(exchange, near, line.near)
        return
    exchange.hang_up(near, cause)


async def _talk(exchange: Exchange, near: Channel, other: Channel) -> None:
    ids = (("Bridge-A-Unique-ID", near.unique_id), ("Bridge-B-Unique-ID", other.unique_id))
    for channel in (near, other):
        channel.times["Bridged"] = microseconds()
    other.state = "CS_EXCHANGE_MEDIA"
    leg = (*ids, ("Other-Leg-Unique-ID", other.unique_id))
    exchange.emit("CHANNEL_BRIDGE", near, *leg)
    await first_of(near.hung_up, other.hung_up)
    if other.cause:
        await other.completed.wait()
    exchange.emit("CHANNEL_UNBRIDGE", near, *leg)
    exchange.hang_up(other, "NORMAL_CLEARING")


APPS: Mapping[str, Callable[[Exchange, Channel, str], Awaitable[None]]] = MappingProxyType(
    {
        "bridge": _bridge,
        "echo": _echo,
        "hangup": _hang_up,
        "park": _park,
        "playback": _play,
        "record_session": _record,
        "sched_hangup": _schedule,
        "sleep": _sleep,
    }
)
