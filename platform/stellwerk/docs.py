"""Writes the documents that are made from the code: `python -m stellwerk.docs`.

A test compares them with the files, so a change of a setting, an operation, a state or an error
code and its description arrive together. Sentences about settings and error codes are the
comments beside them.
"""

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from itertools import groupby, product
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from stellwerk.bootstrap import registry
from stellwerk.calls.causes import UNANSWERED
from stellwerk.cli.client_settings import ClientSettings
from stellwerk.errors import ErrorCode
from stellwerk.field_comments import commented_fields
from stellwerk.jobs.operation import Operation, RetryPolicy, Step
from stellwerk.jobs.states import TRANSITIONS, JobStatus, public_status, state_diagram
from stellwerk.settings import SECTIONS
from stellwerk.settings.naming import PREFIX
from stellwerk.studio.states import AFTER_JOB

CHECKOUT = Path(__file__).resolve().parents[2]
MADE_BY = "<!-- Made from the code by `make docs`; changes belong there. -->"
WIDTH = 98

_ABOUT_SETTINGS = """\
Every process reads them once, at its start, from the environment and from `.env` in the folder
it is started in; the environment wins. An unknown `STELLWERK_` variable or a wrong value ends
the start with a line that names it. An empty value counts as not set."""
_ABOUT_STATES = """\
The ledger stores six states. Only `stellwerk.jobs` moves a job between them, and every move
raises the job's `version`."""
_ABOUT_ENDS = """\
`completed`, `failed` and `cancelled` are final: polls, waits and streams end there. A retry by
hand sends a failed or cancelled job back to `queued`; its checkpoints are kept, its failures
are counted from zero again."""
_ABOUT_CALLS = """\
Answered, it is `completed`, whatever ended it; else by its cause, and with any other `failed`:"""
_ABOUT_ERRORS = """\
Every error of the API is an envelope: `{error: {code, message, details, timestamp,
request_id}}`. Clients switch on `code`; `message` is for people and may change."""
_ABOUT_OTHER_CODES = """\
`job`: in the `error` of a job's document, which may also hold a code from above, such as
`PROVIDER_UNAVAILABLE`. `stream`: in the last event of a stream. `start`: printed by a process
that cannot start."""
_ABOUT_OPERATIONS = """\
What can be submitted with `POST /api/v1/jobs` or `stellwerk submit`. Payloads and results are
described by JSON Schema at `GET /api/v1/operations/{name}`."""
_CODE_COMMENT = re.compile(r"(?P<status>\d{3}|job|stream|start): (?P<meaning>.+)")


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings class, as an operator sees it."""

    section: str
    variable: str
    aliases: tuple[str, ...]
    default: str
    meaning: str


def env_example() -> str:
    """`.env.example`: every setting with its default, commented out."""
    lines = [
        "# Copy to .env and set what differs. Every line shows a default; docs/settings.md is the",
        "# same as a table. Variables of the environment win over this file. Made by `make docs`.",
    ]
    for section, members in groupby(_every_setting(), key=lambda setting: setting.section):
        lines += ["", *(f"## {line}" for line in textwrap.wrap(section, WIDTH - 3))]
        for setting in members:
            notes = [setting.meaning] if setting.meaning else []
            notes += [f"also read from {', '.join(setting.aliases)}"] if setting.aliases else []
            lines += [f"#   {line}" for line in textwrap.wrap("; ".join(notes), WIDTH - 4)]
            lines.append(f"# {setting.variable}={setting.default}")
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """`docs/settings.md`."""
    parts = [
        "# Settings",
        MADE_BY,
        _ABOUT_SETTINGS,
    ]
    for section, members in groupby(_every_setting(), key=lambda setting: setting.section):
        rows = [
            (f"`{it.variable}`", _code(it.default), _codes(it.aliases), it.meaning)
            for it in members
        ]
        parts += [f"## {section}", _table(("Variable", "Default", "Also read from", ""), rows)]
    return _document(parts)


def job_states() -> str:
    """`docs/job_states.md`."""
    moves = [(start, end, why) for (start, end), why in TRANSITIONS.items()]
    after = [(job, video.value) for job, video in AFTER_JOB.items()]
    return _document(
        [
            "# The states of a job",
            MADE_BY,
            _ABOUT_STATES,
            f"```mermaid\n{state_diagram()}\n```",
            _table(("From", "To", "When"), moves),
            "## What clients see",
            "Clients see two states more. They are derived when the job's document is built:",
            _table(("Stored", "Condition", "Shown"), list(_shown())),
            _ABOUT_ENDS,
            "## What becomes of a video",
            "The job that generates a video ends it too, in the same transaction:",
            _table(("Job", "Video"), after),
            "## What becomes of a call",
            _ABOUT_CALLS,
            _table(
                ("Cause", "Call"), [(f"`{cause}`", state) for cause, state in UNANSWERED.items()]
            ),
        ]
    )


def error_codes() -> str:
    """`docs/errors.md`."""
    http: list[tuple[str, ...]] = []
    elsewhere: list[tuple[str, ...]] = []
    for code, status, meaning in _codes_with_meaning():
        target = http if status.isdecimal() else elsewhere
        target.append((f"`{code}`", status, meaning))
    http.sort(key=lambda row: row[1])
    return _document(
        [
            "# Error codes",
            MADE_BY,
            _ABOUT_ERRORS,
            "## Answers of the API",
            _table(("Code", "HTTP", "Meaning"), http),
            "## Elsewhere",
            _ABOUT_OTHER_CODES,
            _table(("Code", "Where", "Meaning"), elsewhere),
        ]
    )


def operations_catalogue() -> str:
    """`docs/operations_catalogue.md`."""
    parts = [
        "# Operations",
        MADE_BY,
        _ABOUT_OPERATIONS,
    ]
    for operation in registry():
        parts += [f"## {operation.name}", f"{operation.summary}.", _operation_table(operation)]
    return _document(parts)


GENERATED: dict[str, Callable[[], str]] = {
    ".env.example": env_example,
    "docs/settings.md": settings_table,
    "docs/job_states.md": job_states,
    "docs/errors.md": error_codes,
    "docs/operations_catalogue.md": operations_catalogue,
}


def main() -> None:
    """Write every generated document of this checkout."""
    for name, generate in GENERATED.items():
        (CHECKOUT / name).write_text(generate())


def _every_setting() -> Iterator[Setting]:
    for section in SECTIONS:
        yield from _settings_of(section, "")
    yield from _settings_of(ClientSettings, "The command line client")


def _settings_of(model: type[BaseModel], section: str) -> Iterator[Setting]:
    for field in commented_fields(model):
        if field.name in model.model_fields:
            info = model.model_fields[field.name]
            yield _setting(field.section or section, field.name, info, field.comment)


def _setting(section: str, name: str, field: FieldInfo, comment: str) -> Setting:
    alias = field.validation_alias
    named = alias.choices[1:] if isinstance(alias, AliasChoices) else []
    aliases = tuple(str(choice) for choice in named)
    choices = field.annotation
    if isinstance(choices, type) and issubclass(choices, Enum):
        comment = f"{comment}; " if comment else ""
        comment += "one of " + ", ".join(str(member.value) for member in choices)
    return Setting(section, PREFIX + name.upper(), aliases, _plain(field.default), comment)


def _plain(default: Any) -> str:
    """A default as it would stand in the environment."""
    match default:
        case None:
            return ""
        case SecretStr():
            return default.get_secret_value()
        case Enum():
            return str(default.value)
        case dict():
            return json.dumps(default, default=str)
        case tuple():
            return ",".join(map(str, default))
        case _:
            return str(default)


def _codes_with_meaning() -> Iterator[tuple[str, str, str]]:
    """Code, HTTP status or place, and meaning; raises ValueError for a code without these."""
    for field in commented_fields(ErrorCode):
        found = _CODE_COMMENT.fullmatch(field.comment)
        if not found:
            message = f"ErrorCode.{field.name} needs a comment such as `404: what it means`."
            raise ValueError(message)
        yield ErrorCode[field.name].value, found["status"], found["meaning"]


def _shown() -> Iterator[tuple[str, str, str]]:
    """Every way in which a stored state is shown, asked of the function that decides."""
    conditions: dict[str, list[str]] = {}
    for ahead, tried, undoing in product((False, True), repeat=3):
        shown = public_status(JobStatus.QUEUED, is_ahead=ahead, was_tried=tried, is_undoing=undoing)
        if undoing:
            condition = "it is being rolled back before it ends"
        elif ahead:
            condition = "`run_at` lies ahead, " + ("an" if tried else "no") + " attempt was made"
        else:
            condition = "due"
        known = conditions.setdefault(shown, [])
        known += [] if condition in known else [condition]
    for shown_as, reasons in conditions.items():
        yield JobStatus.QUEUED, "; ".join(reasons), shown_as
    for stored in JobStatus:
        if stored is not JobStatus.QUEUED:
            shown = public_status(stored, is_ahead=False, was_tried=True)
            yield stored, "always", shown


def _operation_table(operation: Operation) -> str:
    rows = [
        ("Version", str(operation.version)),
        ("Queue", operation.queue),
        ("Permission", f"`{operation.permission}`"),
        ("Seen by", operation.scope.value),
        ("Time limit of an attempt", f"{operation.time_limit_s:g} s"),
        ("Attempts", _retries(operation.retry)),
        ("Costs money", "yes, its estimate is reserved" if operation.estimate_eur else "no"),
        ("Limit of its own", f"`rates.{operation.rate_class}`" if operation.rate_class else "none"),
        (
            "Steps, with their shares of the progress",
            ", ".join(map(_step, operation.steps)) or "none declared",
        ),
    ]
    return _table(("", ""), rows)


def _retries(policy: RetryPolicy) -> str:
    pauses = f"pauses up to {policy.base_s:g} s, doubling to {policy.max_s:g} s"
    if policy.delays_s:
        pauses = "pauses of " + ", ".join(f"{delay_s:g}" for delay_s in policy.delays_s) + " s"
    return f"{policy.max_attempts}; {pauses}"


def _step(step: Step) -> str:
    return f"{step.name} ({step.weight}{', undone on failure' if step.undo else ''})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str | StrEnum]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _codes(texts: Sequence[str]) -> str:
    return ", ".join(map(_code, texts))


def _document(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
