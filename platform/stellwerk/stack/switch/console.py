"""The commands behind `api` and `bgapi`, and one of the simulator's own."""

import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from stellwerk.stack.switch.channel import Channel
from stellwerk.stack.switch.exchange import NAME, Exchange
from stellwerk.stack.switch.originating import originate
from stellwerk.stack.switch.recording import Recording
from stellwerk.stack.switch.showing import (
    VERSION_LINE,
    dumped,
    gateway_as_xml,
    gateway_status,
    shown,
    status,
)

NO_REPLY = "-ERR no reply\n"
NO_CHANNEL = "-ERR No such channel!\n"
GOOD = "+OK\n"
KINDS_OF_GATEWAY = frozenset({"up", "down", "dead"})

Answer = Callable[["Console", str], Awaitable[str]]


class Console:
    """Answers commands of the switch; an unknown one as the real one does."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._recordings: dict[tuple[str, str], Recording] = {}

    async def run(self, line: str, headers: Mapping[str, str]) -> str:
        """The text of the answer. `console_execute: true` makes `;;` separate commands."""
        if headers.get("console_execute") == "true":
            return "".join([await self._one(part) for part in line.split(";;")])
        return await self._one(line)

    async def _one(self, line: str) -> str:
        word, _, argument = line.strip().partition(" ")
        command = COMMANDS.get(word)
        if command is None:
            return f"-ERR {word} Command not found!\n"
        return await command(self, argument.strip()) or NO_REPLY

    def channel(self, unique_id: str) -> Channel | None:
        """A living channel."""
        return self.exchange.channels.get(unique_id)

    async def status(self, _: str) -> str:
        """Uptime and sessions."""
        return status(self.exchange)

    async def version(self, _: str) -> str:
        """Which switch this is: a simulator."""
        return VERSION_LINE

    async def originate(self, argument: str) -> str:
        """Dial."""
        return await originate(self.exchange, argument)

    async def uuid_exists(self, argument: str) -> str:
        """`true` or `false`, without a line break."""
        return "true" if self.channel(argument) else "false"

    async def uuid_kill(self, argument: str) -> str:
        """Hang up, with a cause."""
        unique_id, _, cause = argument.partition(" ")
        channel = self.channel(unique_id)
        if channel is None or channel.cause:
            return NO_CHANNEL
        self.exchange.hang_up(channel, cause or "NORMAL_CLEARING")
        return GOOD

    async def uuid_dump(self, argument: str) -> str:
        """All headers of a channel, plain or as JSON."""
        unique_id, _, form = argument.partition(" ")
        channel = self.channel(unique_id)
        return dumped(channel, form) if channel else NO_CHANNEL

    async def uuid_getvar(self, argument: str) -> str:
        """A variable's value, `_undef_` for none."""
        unique_id, _, name = argument.partition(" ")
        channel = self.channel(unique_id)
        return channel.variables.get(name, "_undef_") if channel else NO_CHANNEL

    async def uuid_setvar(self, argument: str) -> str:
        """Give a variable a value."""
        unique_id, _, rest = argument.partition(" ")
        name, _, value = rest.partition(" ")
        channel = self.channel(unique_id)
        if channel is None:
            return NO_CHANNEL
        channel.variables[name] = value
        return GOOD

    async def uuid_record(self, argument: str) -> str:
        """`UUID start|stop PATH`."""
        unique_id, action, path, *_ = (*argument.split(" "), "", "")
        channel = self.channel(unique_id)
        if channel is None:
            return NO_CHANNEL
        if action == "start":
            recording = self._recordings[unique_id, path] = Recording(self.exchange, channel, path)
            recording.begin()
        elif action == "stop" and (unique_id, path) in self._recordings:
            self._recordings.pop((unique_id, path)).end()
        else:
            return "-ERR Cannot record session!\n"
        return "+OK Success\n"

    async def hupall(self, argument: str) -> str:
        """`[CAUSE [VARIABLE VALUE]]`: hang up all, or those that have the variable."""
        cause, name, value, *_ = (*argument.split(" "), "", "", "")
        cause = cause or "MANAGER_REQUEST"
        for channel in tuple(self.exchange.channels.values()):
            if not name or channel.variables.get(name) == value:
                self.exchange.hang_up(channel, cause)
        if name:
            return f"+OK hangup all channels matching [{name}]=[{value}] with cause: {cause}\n"
        return f"+OK hangup all channels with cause {cause}\n"

    async def show(self, argument: str) -> str:
        """Channels or calls: as a list, as JSON, or their count."""
        return shown(self.exchange, argument)

    async def sofia(self, argument: str) -> str:
        """`status gateway NAME` and `xmlstatus gateway NAME`."""
        words = argument.split()
        if words[1:2] != ["gateway"] or words[0] not in {"status", "xmlstatus"}:
            return NO_REPLY
        name = words[2] if len(words) > len(("status", "gateway")) else ""
        state = self.exchange.gateways.get(name)
        if state is None:
            return "Invalid Gateway!\n"
        show = gateway_status if words[0] == "status" else gateway_as_xml
        return show(name, state)

    async def fsctl(self, argument: str) -> str:
        """`shutdown` alone."""
        if argument.split()[:1] != ["shutdown"]:
            return "-ERR Command not found!\n"
        self.exchange.run(self.exchange.shut_down())
        return GOOD

    async def strepoch(self, argument: str) -> str:
        """Seconds since 1970; of what is no date, 0."""
        return "0" if argument else str(int(time.time()))

    async def strftime(self, argument: str) -> str:
        """The time in a form."""
        return datetime.now(UTC).strftime(argument or "%Y-%m-%d %H:%M:%S")

    async def global_getvar(self, argument: str) -> str:
        """The host's name, and nothing else."""
        return NAME if argument in {"hostname", "switchname"} else ""

    async def create_uuid(self, _: str) -> str:
        """A fresh one."""
        return str(uuid.uuid4())

    async def simulator(self, argument: str) -> str:
        """`dials`, `received`, and `gateway NAME up|down|dead`: no real switch has these."""
        words = argument.split()
        if words == ["dials"]:
            return json.dumps(self.exchange.diary.dials)
        if words == ["received"]:
            return self.exchange.diary.received.decode(errors="replace")
        if words[:1] == ["gateway"] and words[2:] and words[2] in KINDS_OF_GATEWAY:
            self.exchange.gateways[words[1]] = words[2]
            return GOOD
        return "-USAGE: dials | received | gateway NAME up|down|dead\n"


COMMANDS: Mapping[str, Answer] = MappingProxyType(
    {
        "create_uuid": Console.create_uuid,
        "fsctl": Console.fsctl,
        "global_getvar": Console.global_getvar,
        "hupall": Console.hupall,
        "originate": Console.originate,
        "show": Console.show,
        "simulator": Console.simulator,
        "sofia": Console.sofia,
        "status": Console.status,
        "strepoch": Console.strepoch,
        "strftime": Console.strftime,
        "uuid_dump": Console.uuid_dump,
        "uuid_exists": Console.uuid_exists,
        "uuid_getvar": Console.uuid_getvar,
        "uuid_kill": Console.uuid_kill,
        "uuid_record": Console.uuid_record,
        "uuid_setvar": Console.uuid_setvar,
        "version": Console.version,
    }
)
