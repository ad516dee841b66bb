"""A line: our channel towards somebody, the channel of whoever is called, and what they do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from stellwerk.stack.switch.channel import OWN_CAUSES, Channel, microseconds
from stellwerk.stack.switch.dialplan import Step, script_of
from stellwerk.stack.switch.dialstring import Target
from stellwerk.stack.switch.exchange import Exchange, dice

SETUP_S = 0.02
LATE = 0.25  # how often a loopback's own first event comes after those of its far end
LATE_S = 0.002
THREAD_S = 0.002  # what threads of the real one take, which makes the order of events vary

STAGES = {"ring_ready": "Progress", "pre_answer": "Progress-Media", "answer": "Answered"}


class Refused(Exception):
    """The cause for which no channel was made."""


@dataclass(slots=True, eq=False)
class Line:
    """Both channels; where nobody can be reached there is only ours."""

    near: Channel
    far: Channel | None


async def open_line(exchange: Exchange, target: Target, variables: dict[str, str]) -> Line:
    """Dial; raises Refused where that ends before there is a channel."""
    if target.kind == "loopback":
        return await _open_loopback(exchange, target, variables)
    if target.kind == "sofia":
        return await _open_gateway(exchange, target, variables)
    raise Refused("CHAN_NOT_IMPLEMENTED")


async def _open_loopback(exchange: Exchange, target: Target, variables: dict[str, str]) -> Line:
    number, _, context = target.rest.partition("/")
    number = number.strip()
    await exchange.jitter(SETUP_S)
    if not number or not exchange.take_sessions(2):
        raise Refused("DESTINATION_OUT_OF_ORDER")
    context = context or "default"
    near = Channel(f"loopback/{number}-a", number, is_outbound=True, context=context)
    far = Channel(f"loopback/{number}-b", number, is_outbound=False, context=context)
    near.variables = {**variables, "loopback_leg": "A", "other_loopback_leg_uuid": far.unique_id}
    wanted = variables.get("origination_uuid", "")
    if wanted and wanted not in exchange.channels:  # in use: silently another one
        near.unique_id = wanted
    far.variables = {**variables, "loopback_leg": "B", "other_loopback_leg_uuid": near.unique_id}
    line = Line(near, far)
    exchange.admit(near)
    is_late = dice.random() < LATE
    if not is_late:
        _announce(exchange, near)
    exchange.diary.dialled(number)
    _connect(exchange, line, script_of(number))
    if is_late:
        asyncio.get_running_loop().call_later(LATE_S, _announce, exchange, near)
    return line


async def _open_gateway(exchange: Exchange, target: Target, variables: dict[str, str]) -> Line:
    word, _, rest = target.rest.partition("/")
    gateway, _, number = rest.partition("/")
    if word != "gateway":
        raise Refused("INVALID_PROFILE")
    if gateway not in exchange.gateways:
        raise Refused("INVALID_GATEWAY")
    number = number.strip()
    await exchange.jitter(SETUP_S)
    near = Channel(f"sofia/external/{number}", number, is_outbound=True)
    near.unique_id = variables.get("origination_uuid") or near.unique_id
    near.variables = {**variables, "sip_gateway_name": gateway, "sofia_profile_name": "external"}
    if not number or near.unique_id in exchange.channels or not exchange.take_sessions(1):
        raise Refused("DESTINATION_OUT_OF_ORDER")
    if exchange.gateways[gateway] == "down":
        _tell_stillborn(exchange, near)
        raise Refused("GATEWAY_DOWN")
    exchange.admit(near)
    _announce(exchange, near)
    line = Line(near, None)
    if exchange.gateways[gateway] == "dead":
        exchange.run(_live(exchange, line, near))
        exchange.hang_up(near, "NORMAL_TEMPORARY_FAILURE")
        return line
    _invite(exchange, line, number)
    return line


def _invite(exchange: Exchange, line: Line, number: str) -> None:
    """Reach the called side, which is a profile of the same switch and costs it a session too."""
    exchange.diary.dialled(number)
    if not exchange.take_sessions(1):
        exchange.run(_live(exchange, line, line.near))
        exchange.hang_up(line.near, "NORMAL_TEMPORARY_FAILURE")
        return
    caller = line.near.caller
    far = Channel(f"sofia/pstn-sim/{caller}@127.0.0.1", number, is_outbound=False, context="pstn")
    shown = ("origination_caller_id_name", "origination_caller_id_number")
    far.variables = {
        name: line.near.variables[name] for name in shown if name in line.near.variables
    }
    line.far = far
    _connect(exchange, line, script_of(number))


def _tell_stillborn(exchange: Exchange, near: Channel) -> None:
    """All that is told of a call over a gateway that is down."""
    near.name, near.state = "N/A", "CS_NONE"
    exchange.emit("CHANNEL_DESTROY", near)


def _announce(exchange: Exchange, channel: Channel) -> None:
    exchange.emit("CHANNEL_CREATE", channel)
    if channel.is_outbound:
        exchange.emit("CHANNEL_ORIGINATE", channel)
    if not channel.cause and channel.state == "CS_INIT":
        channel.state = "CS_CONSUME_MEDIA" if channel.is_outbound else "CS_EXECUTE"
    channel.created.set()


def _connect(exchange: Exchange, line: Line, script: Sequence[Step]) -> None:
    if line.far is None:
        return
    exchange.admit(line.far)
    _announce(exchange, line.far)
    exchange.run(_live(exchange, line, line.near))
    exchange.run(_answer_machine(exchange, line, line.far, script))


async def _answer_machine(
    exchange: Exchange, line: Line, far: Channel, script: Sequence[Step]
) -> None:
    """The called side does what its extension says, until it or we hang up."""
    for step in script:
        with far.working():
            execute(exchange, far, step)
            await _do(exchange, line, far, step)
            executed(exchange, far, step)
        if far.cause:
            break
    exchange.hang_up(far, "NORMAL_CLEARING")
    await _live(exchange, line, far)


def execute(exchange: Exchange, channel: Channel, step: Step) -> None:
    """Tell that an application begins."""
    channel.app, channel.app_data = step.app, step.data
    exchange.emit("CHANNEL_EXECUTE", channel, *_named(step))


def executed(exchange: Exchange, channel: Channel, step: Step) -> None:
    """Tell that an application has ended."""
    response = ("Application-Response", "_none_")
    exchange.emit("CHANNEL_EXECUTE_COMPLETE", channel, *_named(step), response)


def _named(step: Step) -> list[tuple[str, str]]:
    data = [("Application-Data", step.data)] if step.data else []
    return [("Application", step.app), *data]


async def _do(exchange: Exchange, line: Line, far: Channel, step: Step) -> None:
    if step.app in STAGES:
        _progress(exchange, line, far, STAGES[step.app])
    elif step.app == "sleep":
        await until_hung_up(exchange, far, int(step.data) / 1000)
    elif step.app == "hangup":
        exchange.hang_up(far, step.data)
    else:  # echo, playback: for as long as there is somebody
        await far.hung_up.wait()


def _progress(exchange: Exchange, line: Line, far: Channel, stage: str) -> None:
    """Both ends get as far as this: over SIP the called one first, over loopback the caller."""
    now = microseconds()
    if far.technology == "loopback":
        advance(exchange, line.near, stage, now)
        advance(exchange, far, stage, now)
        return
    advance(exchange, far, stage, now)
    loop = asyncio.get_running_loop()
    loop.call_later(dice.uniform(0, THREAD_S), advance, exchange, line.near, stage, now)


def advance(exchange: Exchange, channel: Channel, stage: str, at: int) -> None:
    """A channel rings, has early media, or is answered; told once."""
    if channel.cause or stage in channel.times:
        return
    channel.times[stage] = at
    event, channel.call_state, channel.answer_state = {
        "Progress": ("CHANNEL_PROGRESS", "RINGING", "ringing"),
        "Progress-Media": ("CHANNEL_PROGRESS_MEDIA", "EARLY", "early"),
        "Answered": ("CHANNEL_ANSWER", "ACTIVE", "answered"),
    }[stage]
    if stage != "Progress":
        channel.media.set()
    disposition = {"Answered": "ANSWER", "Progress-Media": "EARLY MEDIA"}.get(stage, "")
    if disposition:
        channel.variables["endpoint_disposition"] = disposition
    exchange.emit(event, channel)
    if stage == "Answered":
        channel.answered.set()


async def until_hung_up(exchange: Exchange, channel: Channel, simulated_s: float) -> None:
    """Let time pass, but no longer than the channel lives."""
    try:
        async with asyncio.timeout(simulated_s / exchange.options.speed):
            await channel.hung_up.wait()
    except TimeoutError:
        return


async def _live(exchange: Exchange, line: Line, channel: Channel) -> None:
    """Wait for a channel's end, tell it, and let the other end know."""
    await channel.hung_up.wait()
    await channel.created.wait()
    await channel.idle.wait()
    await exchange.jitter(THREAD_S)
    channel.state, channel.call_state = "CS_REPORTING", "HANGUP"
    channel.close(exchange.options.speed)
    exchange.channels.pop(channel.unique_id, None)
    exchange.emit("CHANNEL_HANGUP_COMPLETE", channel)
    channel.completed.set()
    other = line.far if channel is line.near else line.near
    if other is not None:
        exchange.hang_up(other, carried(channel, other))
    await exchange.jitter(THREAD_S)
    exchange.emit("CHANNEL_DESTROY", channel)


def carried(ended: Channel, other: Channel) -> str:
    """The cause that the other end gets: SIP has no words for those of the switch's own."""
    if ended.technology == "loopback" or not ended.is_outbound:
        return ended.cause
    if ended.cause == "SYSTEM_SHUTDOWN":
        return ended.cause
    if not other.answered.is_set():
        return "ORIGINATOR_CANCEL"
    return "NORMAL_CLEARING" if ended.cause in OWN_CAUSES else ended.cause
