"""The event socket's framing: commands as they come in, frames as they go out."""

from dataclasses import dataclass, field

END_OF_LINE = b"\n"
GOODBYE = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
SHUT_DOWN = "The system is being shut down.\n"


@dataclass(frozen=True, slots=True)
class Command:
    """A line, the headers below it, and the body that `Content-Length` announces."""

    line: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def verb(self) -> str:
        """The first word, in lower case."""
        return self.line.partition(" ")[0].lower()

    @property
    def argument(self) -> str:
        """What follows the first word."""
        return self.line.partition(" ")[2].strip()


class CommandBuffer:
    """Bytes of one connection, cut into commands at their blank lines."""

    def __init__(self) -> None:
        self._bytes = b""

    def feed(self, received: bytes) -> None:
        """Add what came over the socket; a carriage return before a line break is dropped."""
        self._bytes = (self._bytes + received).replace(b"\r\n", b"\n")

    @property
    def is_partial(self) -> bool:
        """Whether a command has begun that is not complete."""
        return bool(self._bytes.strip(END_OF_LINE))

    def take(self) -> Command | None:
        """The next complete command; None where there is none."""
        text = self._bytes.lstrip(END_OF_LINE)
        head, blank, rest = text.partition(b"\n\n")
        if not blank:
            return None
        line, headers = _parsed(head)
        length = int(headers.get("Content-Length", "0") or "0")
        if len(rest) < length:
            return None
        self._bytes = rest[length:]
        return Command(line, headers, rest[:length].decode(errors="replace"))


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    line, *others = head.decode(errors="replace").split("\n")
    pairs = (other.partition(":") for other in others)
    return line, {name.strip(): value.strip() for name, colon, value in pairs if colon}


def framed(kind: str, text: str = "", **headers: str) -> bytes:
    """A frame without a body: its type comes first, then the reply's text."""
    lines = [f"Content-Type: {kind}"]
    if text:
        lines.append(f"Reply-Text: {text}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\n".join(lines) + "\n\n").encode()


def answered(body: str, kind: str = "api/response") -> tuple[bytes, bytes]:
    """Head and body of a frame with text in it; its length counts bytes."""
    content = body.encode()
    return f"Content-Type: {kind}\nContent-Length: {len(content)}\n\n".encode(), content
