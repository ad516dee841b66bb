"""Mails kept in a Maildir of this machine, for whoever develops or tries the platform out.

The form is https://cr.yp.to/proto/maildir.html, which mail readers and Python's `mailbox` open.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from stellwerk.errors import ProviderDeferred
from stellwerk.mailboxes import Mailbox
from stellwerk.providers.mail.protocol import Handover, Parcel

ENVELOPE = "X-Envelope-To"  # also names those who got a blind copy


class LocalMailer:
    """A mail's file is named by a digest of its Message-ID, so that there is one of each."""

    is_idempotent = True
    timeout_s = 10.0

    def __init__(self, folder: Path, sender: Mailbox) -> None:
        self._folder = folder
        self.sender = sender

    def send(self, parcel: Parcel) -> Handover:
        """Write beside, flush to disk, rename; a mail that is there already stays as it is."""
        name = sha256(parcel.message_id.encode()).hexdigest()[:32]
        with _mapped():
            self._prepare()
            if not self._holds(name):
                self._write(name, parcel)
        return Handover(parcel.recipients, kept=f"read it with `stellwerk mail show {name[:8]}`")

    def check(self) -> None:
        """Make the folders, write and remove a probe."""
        probe = self._folder / "tmp" / f"probe-{uuid4().hex}"
        with _mapped():
            self._prepare()
            probe.write_bytes(b"probe")
            probe.unlink()

    def _prepare(self) -> None:
        """Readable by their owner alone: mails hold links that open accounts."""
        for name in ("", "tmp", "new", "cur"):
            (self._folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _holds(self, name: str) -> bool:
        """Whether it came before; mail readers move it to `cur` and add flags to its name."""
        return (self._folder / "new" / name).exists() or any(
            (self._folder / "cur").glob(f"{name}*")
        )

    def _write(self, name: str, parcel: Parcel) -> None:
        beside = self._folder / "tmp" / f"{name}.{uuid4().hex}"
        envelope = f"{ENVELOPE}: {', '.join(parcel.recipients)}\n".encode()
        handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(envelope + parcel.content.replace(b"\r\n", b"\n"))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._folder / "new" / name)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ProviderDeferred(f"The folder of mails does not work: {exc}.") from exc
