"""`record_session`: a file of silence, as long as the recording lasted."""

import wave
from pathlib import Path

from stellwerk.stack.switch.channel import Channel, microseconds
from stellwerk.stack.switch.exchange import Exchange

RATE_HZ = 8000
SAMPLE_BYTES = 2
LONGEST_S = 60  # of silence that is written, however long the call


class Recording:
    """What is recorded on one channel, from `begin` to its hang-up or `end`."""

    def __init__(self, exchange: Exchange, channel: Channel, path: str) -> None:
        self._exchange = exchange
        self._channel = channel
        self._path = path
        self._began = microseconds()
        self._is_over = False

    def begin(self) -> None:
        """Tell it, and end with the channel."""
        self._exchange.emit("RECORD_START", self._channel, ("Record-File-Path", self._path))
        self._exchange.run(self._until_the_end())

    def end(self) -> None:
        """Write the file and tell that it is complete; once."""
        if self._is_over:
            return
        self._is_over = True
        lasted_s = (microseconds() - self._began) * self._exchange.options.speed / 1_000_000
        write_silence(Path(self._path), min(lasted_s, LONGEST_S))
        self._exchange.emit("RECORD_STOP", self._channel, ("Record-File-Path", self._path))

    async def _until_the_end(self) -> None:
        await self._channel.hung_up.wait()
        self.end()


def write_silence(path: Path, length_s: float) -> None:
    """A WAV file, in a folder that is made where it is missing, as the real one does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(RATE_HZ)
        file.writeframes(bytes(int(length_s * RATE_HZ) * SAMPLE_BYTES))
