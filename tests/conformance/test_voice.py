"""What every voice must do, whoever speaks."""

import wave
from pathlib import Path

import httpx
import pytest
from elevenlabs.client import ElevenLabs

from aimock import Aimock
from aimock_fixtures import REFUSED, RETRY_AFTER_S, SPOKEN_S, TOO_BUSY
from stellwerk.configuration.entries import PRICES_EUR
from stellwerk.errors import InvalidInput, ProviderError, ProviderRejected, ProviderUnavailable
from stellwerk.providers.pricing import price
from stellwerk.providers.video.probe import mean_volume_db
from stellwerk.providers.voice.elevenlabs import ElevenLabsVoice, elevenlabs_client
from stellwerk.providers.voice.local import LocalVoice
from stellwerk.providers.voice.protocol import Passage, Voice

pytestmark = pytest.mark.xdist_group("aimock")  # so that one is started, not one a process
MODEL = "eleven_multilingual_v2"
AWAY = "http://127.0.0.1:9"
VOICES = {"en": "voice-en", "de": "voice-de"}
TEXTS = {
    "en": ("A signal box sets points and signals.", "The track reports whether it is occupied."),
    "de": ("Ein Stellwerk stellt Weichen und Signale.", "Das Gleis meldet, ob es besetzt ist."),
}


@pytest.fixture(params=["local", "elevenlabs"])
def voice(request: pytest.FixtureRequest) -> Voice:
    if request.param == "local":
        return LocalVoice()
    client = request.getfixturevalue("elevenlabs_at_aimock")
    return ElevenLabsVoice(client, model=MODEL, voices=VOICES)


@pytest.fixture
def elevenlabs_voice(elevenlabs_at_aimock: ElevenLabs) -> ElevenLabsVoice:
    return ElevenLabsVoice(elevenlabs_at_aimock, model=MODEL, voices=VOICES)


def _passages(folder: Path, *texts: str) -> list[Passage]:
    return [Passage(text, folder / f"{number}.wav") for number, text in enumerate(texts)]


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_passage_becomes_audible_speech(voice: Voice, tmp_path: Path, language: str) -> None:
    spoken = voice.speak(_passages(tmp_path, *TEXTS[language]), language=language)
    for text, speech in zip(TEXTS[language], spoken.speeches, strict=True):
        assert 1 < speech.duration_s < 6
        assert speech.characters == len(text)
        assert mean_volume_db(speech.path) > -40


def test_all_files_of_a_voice_have_one_sample_format(voice: Voice, tmp_path: Path) -> None:
    spoken = voice.speak(_passages(tmp_path, *TEXTS["en"]), language="en-GB")
    shapes = set()
    for speech in spoken.speeches:
        with wave.open(str(speech.path), "rb") as sound:
            shapes.add((sound.getnchannels(), sound.getsampwidth(), sound.getframerate()))
    assert len(shapes) == 1
    assert {shape[:2] for shape in shapes} == {(1, 2)}


def test_speech_has_a_price_for_each_character(voice: Voice, tmp_path: Path) -> None:
    usage = voice.speak(_passages(tmp_path, *TEXTS["en"]), language="en").usage
    assert sum(line.quantity for line in usage) == sum(map(len, TEXTS["en"]))
    assert price(usage, PRICES_EUR.parse(PRICES_EUR.default)) > 0


def test_a_language_without_a_voice_is_refused(voice: Voice, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        voice.speak(_passages(tmp_path, "Bonjour."), language="fr-FR")
    assert refused.value.details == {"languages": ["de", "en"]}


def test_the_voice_of_the_language_is_asked_for(
    elevenlabs_voice: ElevenLabsVoice, aimock: Aimock, tmp_path: Path
) -> None:
    spoken = elevenlabs_voice.speak(_passages(tmp_path, "Hallo."), language="de-CH")
    assert spoken.speeches[0].duration_s == pytest.approx(SPOKEN_S, abs=0.2)
    sent = aimock.requests_to("/v1/text-to-speech/")[-1]
    assert sent["path"].startswith("/v1/text-to-speech/voice-de?")
    assert sent["headers"].get("xi-api-key") != ""


def test_too_many_requests_are_tried_again_later(
    elevenlabs_voice: ElevenLabsVoice, tmp_path: Path
) -> None:
    with pytest.raises(ProviderUnavailable) as busy:
        elevenlabs_voice.speak(_passages(tmp_path, TOO_BUSY), language="en")
    assert busy.value.retry_after_s == RETRY_AFTER_S


def test_a_refused_text_is_final(elevenlabs_voice: ElevenLabsVoice, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        elevenlabs_voice.speak(_passages(tmp_path, REFUSED), language="en")


@pytest.mark.parametrize(("url", "error"), [("", ProviderRejected), (AWAY, ProviderUnavailable)])
def test_a_wrong_key_is_final_but_a_server_that_is_away_may_come_back(
    aimock: Aimock, tmp_path: Path, url: str, error: type[ProviderError]
) -> None:
    with httpx.Client(timeout=60) as http:
        client = elevenlabs_client("wrong", base_url=url or aimock.url, timeout_s=60, http=http)
        voice = ElevenLabsVoice(client, model=MODEL, voices=VOICES)
        with pytest.raises(error):
            voice.speak(_passages(tmp_path, "Hello."), language="en")
