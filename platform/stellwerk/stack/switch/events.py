"""Events as the switch writes them: plain with URL-encoded values, JSON, or XML."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote
from xml.sax.saxutils import escape

Pairs = Sequence[tuple[str, str]]

# What FreeSWITCH leaves as it is beside letters and digits (switch_url_encode).
_SAFE = "!$'()*,-./_~"
_ENCODED_TWICE = re.compile(r"%25([0-9A-Fa-f]{2})")

NAMES = frozenset(
    {
        "BACKGROUND_JOB",
        "CHANNEL_ANSWER",
        "CHANNEL_BRIDGE",
        "CHANNEL_CREATE",
        "CHANNEL_DESTROY",
        "CHANNEL_EXECUTE",
        "CHANNEL_EXECUTE_COMPLETE",
        "CHANNEL_HANGUP",
        "CHANNEL_HANGUP_COMPLETE",
        "CHANNEL_ORIGINATE",
        "CHANNEL_PARK",
        "CHANNEL_PROGRESS",
        "CHANNEL_PROGRESS_MEDIA",
        "CHANNEL_UNBRIDGE",
        "HEARTBEAT",
        "PLAYBACK_START",
        "PLAYBACK_STOP",
        "RECORD_START",
        "RECORD_STOP",
        "SHUTDOWN",
    }
)
# What `myevents` subscribes to, of those.
OF_CHANNELS = frozenset(name for name in NAMES if name.startswith("CHANNEL_"))


@dataclass(slots=True)
class Event:
    """Headers in their order, in which a name may stand twice, and perhaps a body."""

    pairs: Pairs
    body: str = ""
    _written: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)

    def value(self, name: str) -> str | None:
        """The first header of this name; None where there is none."""
        return next((value for found, value in self.pairs if found == name), None)

    def frame(self, form: str) -> tuple[bytes, bytes]:
        """Head and body of the frame: plain, json or xml; the length stands before the type."""
        if form not in self._written:
            written = {"json": self._json, "xml": self._xml}.get(form, self._plain)
            content = written().encode()
            head = f"Content-Length: {len(content)}\nContent-Type: text/event-{form}\n\n"
            self._written[form] = head.encode(), content
        return self._written[form]

    def _plain(self) -> str:
        lines = [f"{name}: {url_encoded(value)}\n" for name, value in self.pairs]
        if self.body and not self.value("Content-Length"):
            lines.append(f"Content-Length: {len(self.body.encode())}\n")
        return "".join((*lines, "\n", self.body))

    def _json(self) -> str:
        pairs = list(self.pairs)
        if self.body:
            pairs += [("Content-Length", str(len(self.body.encode()))), ("_body", self.body)]
        return "{" + ",".join(f"{_quoted(name)}:{_quoted(value)}" for name, value in pairs) + "}"

    def _xml(self) -> str:
        """As `switch_event_xmlize` does: values are URL-encoded here, too, the body is not."""
        pairs = [(name, escape(url_encoded(value))) for name, value in self.pairs]
        lines = [f"    <{name}>{value}</{name}>\n" for name, value in pairs]
        told = [f"  <headers>\n{''.join(lines)}  </headers>\n"]
        if self.body:
            told.append(f"  <Content-Length>{len(self.body.encode())}</Content-Length>\n")
            told.append(f"  <body>{escape(self.body)}</body>\n")
        return f"<event>\n{''.join(told)}</event>\n"


def url_encoded(value: str) -> str:
    """A value in a plain event: a percent sign that looks encoded already stays as it is."""
    return _ENCODED_TWICE.sub(r"%\1", quote(value, safe=_SAFE))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class Subscription:
    """What one connection hears."""

    def __init__(self) -> None:
        self.form = ""  # plain, json or xml; empty: nothing was subscribed
        self.mine = ""  # the one channel of `myevents`
        self._names: set[str] = set()
        self._subclasses: set[str] = set()
        self._filters: list[tuple[str, str]] = []

    def add(self, words: Sequence[str]) -> bool:
        """Words after `event FORM`; whatever follows CUSTOM is a subclass. False: none is known."""
        names, subclasses = split_at_custom(words)
        known = {name for name in names if name in NAMES or name == "ALL"}
        self._names |= known
        self._subclasses |= set(subclasses)
        return bool(known or subclasses or "CUSTOM" in words)

    def remove(self, words: Sequence[str]) -> None:
        """Words after `nixevent`."""
        names, subclasses = split_at_custom(words)
        if "ALL" in self._names:
            self._names = set(NAMES)
        self._names -= set(names)
        self._subclasses -= set(subclasses)

    def clear(self) -> None:
        """Hear nothing any more."""
        self._names.clear()
        self._subclasses.clear()

    def narrow(self, name: str, value: str) -> None:
        """Hear only events of which a filter's header has its value."""
        self._filters.append((name, value))

    def widen(self, name: str) -> None:
        """Drop the filters on a header; on all of them for `all`."""
        self._filters = [pair for pair in self._filters if name not in {pair[0], "all"}]

    def has(self, event: Event) -> bool:
        """Whether this event is heard."""
        name = event.value("Event-Name") or ""
        if self.mine and event.value("Unique-ID") != self.mine:
            return False
        if name == "CUSTOM":
            is_wanted = event.value("Event-Subclass") in self._subclasses or "ALL" in self._names
        else:
            is_wanted = name in self._names or "ALL" in self._names
        return is_wanted and (
            not self._filters or any(event.value(key) == value for key, value in self._filters)
        )


def split_at_custom(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of events, and the subclasses after the word CUSTOM."""
    upper = [word.upper() for word in words]
    if "CUSTOM" not in upper:
        return upper, []
    place = upper.index("CUSTOM")
    return upper[:place], list(words[place + 1 :])
