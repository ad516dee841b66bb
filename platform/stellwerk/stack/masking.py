"""URLs as they may be shown."""

import re

PASSWORD = re.compile(r"(?<=:)[^:@/]+(?=@)")


def masked(url: str) -> str:
    """A URL with its password hidden."""
    return PASSWORD.sub("***", url, count=1)
