"""What a module may be called: the rule of repositories and of whoever installs from them."""

import re

NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,39}$"
NAME_RULE = "1 to 40 letters, digits, _ and -, the first a letter."

# The first segments of our own addresses: no page of a module may look like one of them.
RESERVED = frozenset(
    {
        "admin",
        "api",
        "auth",
        "call",
        "call-history",
        "call-status",
        "flower",
        "health",
        "metrics",
        "modules",
        "privacy",
        "repositories",
        "repository",
        "status",
        "version",
        "ws",
    }
)


def is_name(text: str) -> bool:
    """Whether a module may be called so."""
    return bool(re.fullmatch(NAME, text)) and text.lower() not in RESERVED
