"""The receiver in docs/webhooks.md does what is said about it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from attempts import attempt
from embedded import wait_until
from hooks import deliveries_of, hook
from stellwerk.bootstrap import Platform
from stellwerk.jobs.runtime import unit
from stellwerk.stack.ports import free_port
from stellwerk.webhooks import deliveries
from stellwerk.webhooks.model import WebhookDelivery
from stellwerk_workers.reports import Came

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "webhooks.md"


@contextmanager
def receiver(folder: Path, port: int, secret: str) -> Iterator[Path]:
    """The document's receiver as a process; gives the file it prints to."""
    found = re.search(
        r"^```python (\S+)\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found
    (folder / found[1]).write_text(found[2])
    printed = folder / "printed"
    with printed.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  our own document
            [sys.executable, found[1], str(port), secret],
            cwd=folder,
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
    try:
        wait_until(lambda: answers(port))
        yield printed
    finally:
        process.terminate()
        process.wait(timeout=60)


def answers(port: int) -> bool:
    try:
        forged = requests.post(f"http://127.0.0.1:{port}", data=b"{}", timeout=60)
    except requests.ConnectionError:
        return False
    assert forged.status_code == 400
    return True


def test_the_documented_receiver_takes_each_message_once_and_nothing_forged(
    platform: Platform, tmp_path: Path
) -> None:
    runtime, port = platform.runtime, free_port()
    made = hook(platform, f"http://127.0.0.1:{port}")
    job_id = made.submit()
    attempt(runtime, job_id)
    (delivery,) = deliveries_of(runtime, made.owner_id)
    with receiver(tmp_path, port, made.secret) as printed:
        assert attempt(runtime, delivery.job_id) is Came.COMPLETED
        with unit(runtime) as work:
            found = work.session.get_one(WebhookDelivery, delivery.id)
            again = deliveries.redeliver(runtime, work, found).job_id
        assert attempt(runtime, again) is Came.COMPLETED
    (line,) = printed.read_text().splitlines()
    assert line.startswith("job.completed")
    assert str(job_id) in line
