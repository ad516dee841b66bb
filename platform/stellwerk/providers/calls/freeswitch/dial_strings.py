"""The one command that begins a call. Whatever a Dial holds, nothing but digits gets into it.

Every value is checked against what it may be, so that none can end a list, a quote or the line:
a line break in a destination runs further commands on a real switch, and commas, brackets, pipes
and `${}` change who is dialled.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from uuid import UUID, uuid5

from stellwerk.errors import ConfigurationError, ProviderRejected
from stellwerk.providers.calls.protocol import Dial, Leg

NUMBER = "{number}"
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_GATEWAY = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TEMPLATE = re.compile(r"[A-Za-z0-9._@:;=/-]*\{number\}[A-Za-z0-9._@:;=/-]*")
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
_MOST_S = 24 * 3600

JOBS = UUID("f1f0c7a6-3a3c-5f0e-8f0e-6d1d4c5f5b10")  # names in it: jobs of the switch
LEGS = UUID("0b0f6d9e-5c61-5a3f-9d5a-3d4b6b7b2c11")  # names in it: second legs


@dataclass(frozen=True, slots=True)
class DialPlan:
    """How this switch is to be asked; raises ConfigurationError for what cannot be sent."""

    gateway: str = "trunk"
    template: str = ""  # of the destination, with {number}; empty: over the gateway
    announcement: str = ""  # path on the switch, played before a call is recorded

    def __post_init__(self) -> None:
        if not _GATEWAY.fullmatch(self.gateway):
            raise ConfigurationError("STELLWERK_ESL_GATEWAY is no name of a gateway.")
        if self.template and not _TEMPLATE.fullmatch(self.template):
            message = f"STELLWERK_ESL_DIAL_TEMPLATE is no destination with {NUMBER} in it."
            raise ConfigurationError(message)
        if self.announcement and not _PATH.fullmatch(self.announcement):
            raise ConfigurationError("STELLWERK_ESL_ANNOUNCEMENT is no plain absolute path.")

    def destination(self, number: str) -> str:
        """Where the switch is to call, for a number that was checked."""
        template = self.template or f"sofia/gateway/{self.gateway}/{NUMBER}"
        return template.replace(NUMBER, number)


def job_of(call_id: UUID) -> UUID:
    """The Job-UUID under which the switch answers for a call."""
    return uuid5(JOBS, call_id.hex)


def second_leg(call_id: UUID) -> UUID:
    """The channel of `to` where `first` is rung before; the call's id is then that of `first`."""
    return uuid5(LEGS, call_id.hex)


def leg_of(dial: Dial) -> Leg:
    """Whose channel has the call's own id: that of the number which is dialled at once."""
    return Leg.TO if dial.first is None else Leg.FIRST


def originate(dial: Dial, plan: DialPlan) -> tuple[str, str]:
    """The command and its header; raises ProviderRejected for what must not reach a switch."""
    first = dial.to if dial.first is None else dial.first
    variables = _variables(dial, plan, leg_of(dial))
    target = plan.destination(_number(first, "number"))
    app = _parked(dial) if dial.first is None else _bridged(dial, plan)
    line = f"bgapi originate {{{variables}}}{target} {app}"
    return line, f"Job-UUID: {job_of(dial.call_id)}"


def _variables(dial: Dial, plan: DialPlan, leg: Leg) -> str:
    """The variables of one leg: `^^;` makes the semicolon their separator."""
    is_first = leg is Leg.FIRST
    limit_s = _seconds(dial.max_duration_s) + (_seconds(dial.ring_timeout_s) if is_first else 0)
    channel = second_leg(dial.call_id) if leg is Leg.TO and dial.first else dial.call_id
    pairs = {
        "origination_uuid": str(channel),
        "stellwerk_call": str(dial.call_id),
        "stellwerk_leg": leg.value,
        "originate_timeout": str(_seconds(dial.ring_timeout_s)),
        "ignore_early_media": "true",
        "execute_on_answer": f"'sched_hangup +{limit_s} ALLOTTED_TIMEOUT'",
        **_shown(dial, is_first=is_first),
        **_announced(dial, plan),
        **(_recorded_together(dial) if is_first else {}),
    }
    return "^^;" + ";".join(f"{name}={value}" for name, value in pairs.items())


def _shown(dial: Dial, *, is_first: bool) -> dict[str, str]:
    """The number shown to who is called: without one, each of two parties sees the other's."""
    others = dial.to if is_first else dial.first
    number = others if dial.caller_id is None else dial.caller_id
    if number is None:
        return {}
    return {"origination_caller_id_number": _number(number, "number to be shown")}


def _announced(dial: Dial, plan: DialPlan) -> dict[str, str]:
    """Play the announcement to who answers, before they are put through."""
    if dial.recording is None:
        return {}
    if not plan.announcement:
        raise ProviderRejected("Calls are not recorded here: no announcement is set up.")
    return {
        "group_confirm_key": "exec",
        "group_confirm_file": f"'playback {plan.announcement}'",
        "group_confirm_cancel_timeout": "1",
    }


def _parked(dial: Dial) -> str:
    if dial.recording is None:
        return "&park()"
    return f"'record_session:{_file(dial)},park:' inline"


def _recorded_together(dial: Dial) -> dict[str, str]:
    """Both parties, from when they are connected: by then both have heard the announcement."""
    if dial.recording is None:
        return {}
    return {
        "RECORD_BRIDGE_REQ": "true",
        "execute_on_answer_2": f"'record_session {_file(dial)}'",
    }


def _bridged(dial: Dial, plan: DialPlan) -> str:
    target = plan.destination(_number(dial.to, "number"))
    return f"&bridge([{_variables(dial, plan, Leg.TO)}]{target})"


def _file(dial: Dial) -> str:
    path = str(PurePosixPath(dial.recording or ""))
    if not _PATH.fullmatch(path) or ".." in path.split("/"):
        raise ProviderRejected("The recording's path is no plain absolute path.")
    return path


def _number(number: str, what: str) -> str:
    if not _E164.fullmatch(number):
        raise ProviderRejected(f"The {what} is not E.164: a plus sign and 7 to 15 digits.")
    return number


def _seconds(seconds: int) -> int:
    if not 1 <= seconds <= _MOST_S:
        raise ProviderRejected("A time of the call is not between a second and a day.")
    return int(seconds)
