"""How fast a service may talk: what nobody could read is not worth a processor."""

BYTES_PER_S = 1024**2
BURST_S = 8.0  # of that, which who was silent may say at once


class Pace:
    """Counts what was said; times are of one monotonic clock."""

    def __init__(self) -> None:
        self._worth_s = 0.0  # until when all that was said would have taken

    def count(self, size_bytes: int, now_s: float) -> None:
        """So much was said."""
        self._worth_s = max(self._worth_s, now_s - BURST_S) + size_bytes / BYTES_PER_S

    def pause_s(self, now_s: float) -> float:
        """How long nothing more is heard."""
        return max(0.0, self._worth_s - now_s)
