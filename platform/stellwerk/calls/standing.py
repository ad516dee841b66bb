"""Whether calls can be made at the moment, for those who look after the platform."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from stellwerk.calls.breaker import is_pretended
from stellwerk.choices import CallProvider
from stellwerk.settings import Settings

UNCHECKED_S = 30.0  # the trunk is looked at every 5 s

_TRUNK = text("""
    SELECT name, is_simulated, is_connected, gateways, breaker,
        coalesce(held_until > clock_timestamp(), false) AS is_held,
        coalesce(extract(epoch FROM clock_timestamp() - checked_at), 1e9) AS checked_ago_s,
        coalesce(greatest(extract(epoch FROM retry_at - clock_timestamp()), 0), 0) AS retry_in_s
    FROM call_trunks WHERE name = :name
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """A trunk in one sentence; `is_well` where calls get through, `is_pretended` where none may."""

    message: str
    is_well: bool
    is_pretended: bool = False


def standing(connection: Connection, settings: Settings) -> Standing | None:
    """How the chosen trunk is; None where there is none."""
    name = settings.call_provider.value
    row = connection.execute(_TRUNK, {"name": name}).one_or_none()
    if row is None:
        absent = Standing(f"{name}: no telephony process has looked at it yet.", is_well=False)
        return absent if _is_chosen(settings) else None
    called = f"{name} (simulator)" if row.is_simulated else name
    if is_pretended(settings, is_simulated=row.is_simulated):
        message = f"{called}: in production nothing is dialled over a simulator."
        return Standing(message, is_well=False, is_pretended=True)
    wrong = _wrong(row)
    if wrong:
        return Standing(f"{called}: {'; '.join(wrong)}.", is_well=False)
    return Standing(f"{called}: {'; '.join(_right(row))}.", is_well=True)


def _is_chosen(settings: Settings) -> bool:
    is_switch = settings.call_provider is CallProvider.FREESWITCH
    return bool(settings.esl_host) or not is_switch


def _wrong(row: Row[Any]) -> list[str]:
    if not row.is_held:
        return ["no telephony process is at work; calls wait"]
    if row.checked_ago_s > UNCHECKED_S:
        return ["its telephony process has not looked at it lately; calls may wait"]
    found = [] if row.is_connected else ["not connected"]
    down = sorted(name for name, usable in row.gateways.items() if not usable)
    if down:
        found.append(f"down: {', '.join(down)}")
    if row.breaker == "open":
        found.append(f"the breaker is open for {row.retry_in_s:.0f} s more")
    elif row.breaker == "half_open":
        found.append("the breaker is half open: one call at a time")
    return found


def _right(row: Row[Any]) -> list[str]:
    up = [f"up: {', '.join(sorted(row.gateways))}"] if row.gateways else []
    return ["connected", *up, "the breaker is closed"]
