"""The arguments of `originate` and `bridge`, read as the real switch reads them.

So whatever an unescaped value changes there it changes here: a comma or a pipe adds a number to
be dialled, brackets add variables, a brace that is not paired ends their list.
"""

import re
from dataclasses import dataclass, field

from stellwerk.stack.switch.dialplan import Step

DEFAULT_RING_S = 60
_APP = re.compile(r"&(?P<app>\w+)\((?P<data>.*?)\)*$", re.DOTALL)
_EXPANSION = re.compile(r"\$\{[^}]*\}")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "s": " "}
_CLOSING = {"{": "}", "[": "]", "<": ">"}
FIRST_OPTIONAL = 2  # of `originate`: dialplan, context, caller's name and number, timeout


@dataclass(frozen=True, slots=True)
class Target:
    """One address to dial, with the variables in its brackets."""

    kind: str  # sofia, loopback, ...
    rest: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """A whole `originate`: whom to dial and how, and what the one who answers does."""

    targets: tuple[Target, ...]
    variables: dict[str, str]
    steps: tuple[Step, ...] = ()
    extension: str = ""

    @property
    def ring_s(self) -> float:
        """How long it may ring. `call_timeout` is ignored, as by the real one."""
        said = self.variables.get("originate_timeout", "")
        return float(said) if said.isdigit() else DEFAULT_RING_S


def order_of(arguments: str) -> Order | None:
    """What `originate` is to do; None where its usage would be shown."""
    words = split_words(arguments)
    if len(words) < FIRST_OPTIONAL:
        return None
    dialled, then, *others = words
    dialplan, _context, name, number, ring_s, *_ = (*others, "", "", "", "", "")
    targets, variables = targets_of(dialled)
    given = {
        "origination_caller_id_name": name,
        "origination_caller_id_number": number,
        "originate_timeout": ring_s,
    }
    variables |= {key: value for key, value in given.items() if value}
    app = _APP.match(then)
    if app:
        return Order(targets, variables, (Step(app["app"], app["data"]),))
    if dialplan == "inline":
        return Order(targets, variables, inline_steps(then))
    return Order(targets, variables, extension=then)


def inline_steps(text: str) -> tuple[Step, ...]:
    """`app:data,app:data` of the inline dialplan."""
    pairs = (part.partition(":") for part in text.split(","))
    return tuple(Step(app, data) for app, _, data in pairs)


def split_words(text: str) -> list[str]:
    """Words between spaces; single quotes hold a word together and go where they enclose it."""
    words, word, is_quoted, is_escaped = [], "", False, False
    for char in text:
        if char == " " and not is_quoted:
            words.append(word)
            word = ""
        else:
            word += char
        if char == "'" and not is_escaped:
            is_quoted = not is_quoted
        is_escaped = char == "\\" and not is_escaped
    return [_unwrapped(word) for word in (*words, word) if word]


def targets_of(text: str) -> tuple[tuple[Target, ...], dict[str, str]]:
    """Addresses to dial in their order, and the variables that hold for all of them."""
    variables: dict[str, str] = {}
    while text[:1] in {"{", "<"}:
        block, text = cut_block(text)
        variables |= variables_in(block)
    parts = [part for part in _split_outside(text) if part]
    return tuple(_target(part) for part in parts), variables


def _split_outside(text: str) -> list[str]:
    """Cut at commas, pipes and `:_:`, but not inside brackets."""
    parts, depth, start, place = [], 0, 0, 0
    while place < len(text):
        depth += {"[": 1, "]": -1}.get(text[place], 0)
        width = _separator_width(text, place) if depth <= 0 else 0
        if width:
            parts.append(text[start:place])
            start = place + width
        place += width or 1
    return [*parts, text[start:]]


def _separator_width(text: str, place: int) -> int:
    if text.startswith(":_:", place):
        return 3
    return 1 if text[place] in ",|" else 0


def _target(text: str) -> Target:
    variables: dict[str, str] = {}
    while text.startswith("["):
        block, text = cut_block(text)
        variables |= variables_in(block)
    kind, _, rest = text.replace("${", "%{").partition("/")
    return Target(kind, rest, variables)


def cut_block(text: str) -> tuple[str, str]:
    """What the bracket at the start holds, and what follows it; pairs inside are counted."""
    opening, closing, depth = text[0], _CLOSING[text[0]], 0
    for place, char in enumerate(text):
        depth += (char == opening) - (char == closing)
        if depth == 0:
            return text[1:place], text[place + 1 :]
    return text[1:], ""


def variables_in(block: str) -> dict[str, str]:
    """Names with values; `^^;` at the start makes the semicolon their separator."""
    separator = ","
    if block.startswith("^^") and len(block) > len("^^"):
        separator, block = block[2], block[3:]
    parts = re.split(rf"(?<!\\){re.escape(separator)}", block)
    pairs = (part.partition("=") for part in parts)
    found = {name.strip(): _value(value) for name, sign, value in pairs if sign}
    return {name: value for name, value in found.items() if value}


def _value(raw: str) -> str:
    text = _EXPANSION.sub("", raw).removeprefix("'")
    text = text[:-1] if text.endswith("'") and not text.endswith("\\'") else text
    text = re.sub(r"\\+,", ",", text)
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)


def _unwrapped(word: str) -> str:
    is_wrapped = len(word) > 1 and word[0] == word[-1] == "'" and "'" not in word[1:-1]
    return word[1:-1] if is_wrapped else word
