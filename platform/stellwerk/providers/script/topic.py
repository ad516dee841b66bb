"""What a topic's wording asks for."""

import re
import unicodedata
from dataclasses import dataclass, replace

from stellwerk.errors import FieldError, InvalidInput

LONGEST_LIST = 99
_QUOTES = dict.fromkeys(map(ord, '"“”„«»<>{}[]|\\^`~*_#'))
_LIST = re.compile(
    r"^(?P<lead>(?:the |die )?top\s+)(?P<count>\d{1,2})\s+(?P<rest>\S.*)$", re.IGNORECASE
)
_COUNTED = re.compile(
    r"^(?P<lead>)(?P<count>\d{1,2})\s+(?P<rest>(?:\w+\s+)?(?:facts?|tips?|reasons?|ways|things|steps|"
    r"fakten|tipps|gründe|wege|dinge|schritte)\b.*)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Topic:
    """`text` in speakable form; `count` and `rest` where it asks for a list ("Top 5 tips ...")."""

    text: str
    mark: str
    count: int | None = None
    lead: str = ""
    rest: str = ""

    @property
    def sentence(self) -> str:
        """The topic with a capital letter and its closing mark."""
        return f"{self.title}{self.mark}"

    @property
    def title(self) -> str:
        """The topic with a capital letter."""
        return capitalised(self.text)

    @property
    def heading(self) -> str:
        """The title, with the question mark of a question."""
        return self.title + self.mark.strip(".")

    def limited_to(self, count: int) -> "Topic":
        """The same list with fewer entries."""
        return replace(self, count=count, text=f"{self.lead}{count} {self.rest}")


def capitalised(text: str) -> str:
    """`text` with its first letter large and the others untouched."""
    return text[:1].upper() + text[1:]


def speakable(text: str) -> str:
    """`text` without what no voice can say: symbols, quotes, marks that would end a sentence."""
    kept = "".join(
        " " if unicodedata.category(letter)[0] in "CZ" else letter
        for letter in unicodedata.normalize("NFC", text).translate(_QUOTES)
        if unicodedata.category(letter) not in {"So", "Sk", "Cs", "Co", "Cn"}
    )
    words = re.sub(r"[.!?…;:]+(?=\s|$)", "", kept)
    return " ".join(words.split()).strip(" ,-\u2013\u2014/.!?…;:")


def read_topic(raw: str) -> Topic:
    """Understand `raw`; raises InvalidInput where it holds nothing that Latin script can say."""
    text = speakable(raw)
    if not any("LATIN" in unicodedata.name(letter, "") for letter in text):
        message = "The topic needs words in Latin letters."
        raise InvalidInput(message, errors=[FieldError("topic", message)])
    topic = Topic(text, mark="?" if raw.strip().endswith("?") else ".")
    wanted = _LIST.match(text) or _COUNTED.match(text)
    if wanted is None or int(wanted["count"]) not in range(2, LONGEST_LIST + 1):
        return topic
    return replace(topic, count=int(wanted["count"]), lead=wanted["lead"], rest=wanted["rest"])
