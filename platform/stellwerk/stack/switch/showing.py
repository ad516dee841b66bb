"""What the console prints: status, lists of channels, a channel's headers, gateways."""

import json
import time

from stellwerk.stack.switch.channel import CODECS, Channel, stamp
from stellwerk.stack.switch.events import url_encoded
from stellwerk.stack.switch.exchange import MOST_SESSIONS, NAME, VERSION, Exchange

VERSION_LINE = f"FreeSWITCH Version {VERSION} (a simulator, not a switch)\n"
RULE = "=" * 97
_COLUMNS = (
    "uuid direction created created_epoch name state cid_name cid_num ip_addr dest application "
    "application_data dialplan context read_codec read_rate read_bit_rate write_codec write_rate "
    "write_bit_rate secure hostname presence_id presence_data accountcode callstate callee_name "
    "callee_num callee_direction call_uuid sent_callee_name sent_callee_num initial_cid_name "
    "initial_cid_num initial_ip_addr initial_dest initial_dialplan initial_context"
)
COLUMNS = _COLUMNS.split()


def status(exchange: Exchange) -> str:
    """The lines of `status`."""
    up_ms, seconds = int((time.monotonic() - exchange.started) * 1000), 1000
    minutes, rest = divmod(up_ms, 60 * seconds)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (
        f"UP 0 years, {days} days, {hours} hours, {minutes} minutes, {rest // seconds} seconds, "
        f"{rest % seconds} milliseconds, 0 microseconds\n"
        f"FreeSWITCH (Version {VERSION}) is ready\n"
        f"{exchange.sessions_begun} session(s) since startup\n"
        f"{len(exchange.channels)} session(s) - peak 0, last 5min 0 \n"
        f"0 session(s) per Sec out of max {exchange.options.sessions_per_s}, peak 0, last 5min 0 \n"
        f"{MOST_SESSIONS} session(s) max\n"
        "min idle cpu 0.00/99.00\n"
        "Current Stack Size/Max 240K/8192K\n"
    )


def shown(exchange: Exchange, argument: str) -> str:
    """`show channels` and `show calls`: each leg is a call of its own, as on the real one."""
    what, *form = argument.split()[:3] or [""]
    if what not in {"channels", "calls"}:
        return "-USAGE: channels|calls [count|as json]\n"
    rows = [_row(channel) for channel in exchange.channels.values()]
    if form == ["count"]:
        return f"\n{len(rows)} total.\n"
    if form == ["as", "json"]:
        return _as_json(rows)
    if not rows:
        return "\n0 total.\n"
    lines = [",".join(COLUMNS), *(",".join(row[name] for name in COLUMNS) for row in rows)]
    return "\n".join(lines) + f"\n\n{len(rows)} total.\n"


def _as_json(rows: list[dict[str, str]]) -> str:
    document: dict[str, object] = {"row_count": len(rows)}
    if rows:
        document["rows"] = rows
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _row(channel: Channel) -> dict[str, str]:
    codec, bits = CODECS.get(channel.technology, CODECS["sofia"])
    created = channel.times["Created"]
    known = {
        "uuid": channel.unique_id,
        "direction": "outbound" if channel.is_outbound else "inbound",
        "created": stamp(created),
        "created_epoch": str(created // 1_000_000),
        "name": channel.name,
        "state": channel.state,
        "cid_num": channel.caller,
        "dest": channel.number,
        "application": channel.app,
        "application_data": channel.app_data,
        "context": channel.context,
        "read_codec": codec,
        "read_rate": "8000",
        "read_bit_rate": bits,
        "write_codec": codec,
        "write_rate": "8000",
        "write_bit_rate": bits,
        "hostname": NAME,
        "callstate": channel.call_state,
        "callee_name": "Outbound Call",
        "callee_num": channel.number,
        "call_uuid": channel.unique_id,
        "initial_cid_num": channel.caller,
        "initial_dest": channel.number,
        "initial_context": channel.context,
    }
    return {name: known.get(name, "") for name in COLUMNS}


def dumped(channel: Channel, form: str) -> str:
    """All headers of a channel."""
    pairs = [("Event-Name", "CHANNEL_DATA"), *channel.headers()]
    if form == "json":
        return json.dumps(dict(pairs), separators=(",", ":"), ensure_ascii=False)
    return "".join(f"{name}: {url_encoded(value)}\n" for name, value in pairs) + "\n"


def gateway_status(name: str, state: str) -> str:
    """As `sofia status gateway` prints it; a dead one is not known to be dead."""
    fields = _gateway(name, state)
    lines = [f"{label:<8}\t{value}" for label, value in fields.items()]
    return "\n".join((RULE, *lines, RULE, ""))


def gateway_as_xml(name: str, state: str) -> str:
    """As `sofia xmlstatus gateway` prints it."""
    fields = _gateway(name, state) | {"Status": "DOWN" if state == "down" else "UP"}
    tags = (f"  <{label.lower()}>{value}</{label.lower()}>" for label, value in fields.items())
    return "\n".join(
        ('<?xml version="1.0" encoding="ISO-8859-1"?>', "<gateway>", *tags, "</gateway>", "")
    )


def _gateway(name: str, state: str) -> dict[str, str]:
    is_down = state == "down"
    return {
        "Name": name,
        "Profile": "external",
        "Scheme": "Digest",
        "Realm": "127.0.0.1",
        "Username": NAME,
        "Password": "no",
        "State": "NOREG",
        "Status": "DOWN (ping)" if is_down else "UP",
        "CallsIN": "0",
        "CallsOUT": "0",
        "FailedCallsIN": "0",
        "FailedCallsOUT": "0",
    }
