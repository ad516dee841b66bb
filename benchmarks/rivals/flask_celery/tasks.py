"""The work."""

import time

from celery import shared_task


@shared_task(ignore_result=False)
def work(wait_ms: int) -> dict[str, int]:
    """Wait, or do nothing at all."""
    if wait_ms:
        time.sleep(wait_ms / 1000)
    return {"waited_ms": wait_ms}
