"""Whether a gateway of the switch takes calls, as `sofia status gateway` tells it."""

import re

# `Status  \tUP (ping)` of the console, `<status>UP</status>` of `sofia xmlstatus gateway`.
_STATUS = re.compile(r"(?:^Status\s+|<status>\s*)([A-Z]+)", re.MULTILINE)


def is_up(answer: str) -> bool:
    """Whether the switch would dial over it; not where it has no such gateway."""
    status = _STATUS.search(answer)
    return status is not None and status[1] == "UP"
