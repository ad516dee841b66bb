"""The work. Workers import this module and nothing else of the application."""

import time


def work(wait_ms: int) -> dict[str, int]:
    """Wait, or do nothing at all."""
    if wait_ms:
        time.sleep(wait_ms / 1000)
    return {"waited_ms": wait_ms}
