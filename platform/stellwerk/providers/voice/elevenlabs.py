"""Speech by ElevenLabs. See https://elevenlabs.io/docs/api-reference/text-to-speech/convert."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import httpx
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.ffmpeg import run_ffmpeg
from stellwerk.providers.languages import spoken_language
from stellwerk.providers.pricing import Usage
from stellwerk.providers.subprocesses import never
from stellwerk.providers.vendor_errors import provider_error
from stellwerk.providers.voice.protocol import Passage, Spoken
from stellwerk.providers.voice.wav import speech_from

OUTPUT_FORMAT = "mp3_44100_128"  # PCM needs a paid tier
SAMPLE_RATE_HZ = 44_100
CONVERSION_S = 120.0


def elevenlabs_client(
    api_key: str, *, base_url: str, timeout_s: float, http: httpx.Client | None = None
) -> ElevenLabs:
    """A client for `ElevenLabsVoice`. Empty `base_url`: ElevenLabs' own.

    `http` is a connection pool that the caller closes; the client's own lives for the process.
    """
    return ElevenLabs(
        api_key=api_key, base_url=base_url or None, timeout=timeout_s, httpx_client=http
    )


class ElevenLabsVoice:
    """Speaks with one voice for each language; `voices` maps languages to voice ids."""

    batch_size = 1

    def __init__(self, client: ElevenLabs, *, model: str, voices: Mapping[str, str]) -> None:
        self._client = client
        self._model = model
        self._voices = dict(voices)

    @property
    def languages(self) -> frozenset[str]:
        """Languages with a voice id in the settings."""
        return frozenset(self._voices)

    def speak(
        self, passages: Sequence[Passage], *, language: str, should_stop: Callable[[], bool] = never
    ) -> Spoken:
        """See `Voice.speak`."""
        voice_id = self._voices[spoken_language(language, self.languages)]
        for passage in passages:
            received = passage.path.with_suffix(".mp3")
            try:
                self._receive(passage.text, voice_id, received)
                _convert(received, passage.path, should_stop)
            finally:
                received.unlink(missing_ok=True)
        speeches = tuple(speech_from(passage) for passage in passages)
        characters = Decimal(sum(speech.characters for speech in speeches))
        return Spoken(speeches, (Usage("elevenlabs", "character", characters),))

    def _receive(self, text: str, voice_id: str, path: Path) -> None:
        with _elevenlabs_errors(), path.open("wb") as file:
            sound = self._client.text_to_speech.convert(
                voice_id,
                text=text,
                model_id=self._model,
                output_format=OUTPUT_FORMAT,
                request_options={"max_retries": 0},
            )
            for chunk in sound:
                file.write(chunk)


def _convert(received: Path, path: Path, should_stop: Callable[[], bool]) -> None:
    run_ffmpeg(
        [
            *("-i", str(received), "-ar", str(SAMPLE_RATE_HZ), "-ac", "1"),
            *("-c:a", "pcm_s16le", str(path)),
        ],
        timeout_s=CONVERSION_S,
        should_stop=should_stop,
    )


@contextmanager
def _elevenlabs_errors() -> Iterator[None]:
    try:
        yield
    except ApiError as exc:
        status = exc.status_code or 500
        headers = exc.headers or {}
        raise provider_error("ElevenLabs", status, message=str(exc.body), headers=headers) from exc
    except httpx.HTTPError as exc:
        raise ProviderUnavailable(f"ElevenLabs could not be reached: {exc}") from exc
