"""Outside providers, played by aimock."""

from collections.abc import Iterator

import httpx
import openai
import pytest
from elevenlabs.client import ElevenLabs

from aimock import KEY, Aimock, running_aimock
from aimock_fixtures import provider_fixtures
from stellwerk.providers.openai_client import openai_client
from stellwerk.providers.voice.elevenlabs import elevenlabs_client

TIMEOUT_S = 60.0


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aimock]:
    folder = tmp_path_factory.mktemp("aimock")
    with running_aimock(folder, provider_fixtures(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def openai_at_aimock(aimock: Aimock) -> Iterator[openai.OpenAI]:
    with openai_client(KEY, base_url=aimock.openai_url, timeout_s=TIMEOUT_S) as client:
        yield client


@pytest.fixture(scope="session")
def elevenlabs_at_aimock(aimock: Aimock) -> Iterator[ElevenLabs]:
    with httpx.Client(timeout=TIMEOUT_S) as http:
        yield elevenlabs_client(KEY, base_url=aimock.url, timeout_s=TIMEOUT_S, http=http)
