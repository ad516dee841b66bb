"""Addresses of electronic mail, with the name of whose they are."""

import re
from dataclasses import dataclass
from email.headerregistry import Address

NAME_MAX = 100  # characters

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WITH_NAME = re.compile(r"(.*)<([^<>]*)>")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address, checked; its domain in ASCII, also where it was written otherwise (IDN)."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        """What stands after the @."""
        return self.address.rpartition("@")[2]

    @property
    def is_ascii(self) -> bool:
        """Whether any mail server takes it; others need SMTPUTF8 (RFC 6531)."""
        return self.address.isascii()

    def for_header(self) -> Address:
        """The same for the header of a message."""
        local, _, domain = self.address.rpartition("@")
        return Address(display_name=self.name, username=local, domain=domain)


def mailbox(text: str) -> Mailbox:
    """`ada@example.com` or `Ada Lovelace <ada@example.com>`; raises ValueError for what is none."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  slow to import

    if not text.isprintable():
        raise ValueError("An address is one line of printable characters.")
    with_name = _WITH_NAME.fullmatch(text.strip())
    name, address = with_name.groups() if with_name else ("", text.strip())
    try:
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as exc:
        raise ValueError(str(exc)) from exc
    return Mailbox(f"{found.local_part}@{found.ascii_domain}", _unquoted(name.strip()))


def _unquoted(name: str) -> str:
    quoted = _QUOTED.fullmatch(name)
    if not quoted and set(name) & set('<>"'):
        raise ValueError("A name is followed by one address, in angle brackets.")
    name = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else name
    if len(name) > NAME_MAX:
        message = f"A name has at most {NAME_MAX} characters."
        raise ValueError(message)
    return name
