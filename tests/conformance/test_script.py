"""What every script writer must do, whoever writes."""

import json

import openai
import pytest

from aimock import Aimock
from aimock_fixtures import (
    BROKEN,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    REFUSED,
    RETRY_AFTER_S,
    SHORT,
    TOO_BUSY,
)
from media_files import asked
from stellwerk.configuration.entries import PRICES_EUR
from stellwerk.errors import InvalidInput, ProviderRejected, ProviderUnavailable
from stellwerk.providers.openai_client import openai_client
from stellwerk.providers.pricing import price
from stellwerk.providers.script.openai import OpenAiWriter
from stellwerk.providers.script.protocol import Script, ScriptWriter
from stellwerk.providers.script.sentences import split_sentences
from stellwerk.providers.script.template import TemplateWriter

pytestmark = pytest.mark.xdist_group("aimock")  # so that one is started, not one a process
MODEL = "gpt-5-mini"


@pytest.fixture(params=["template", "openai"])
def writer(request: pytest.FixtureRequest) -> ScriptWriter:
    if request.param == "template":
        return TemplateWriter()
    return OpenAiWriter(request.getfixturevalue("openai_at_aimock"), model=MODEL)


@pytest.fixture
def openai_writer(openai_at_aimock: openai.OpenAI) -> OpenAiWriter:
    return OpenAiWriter(openai_at_aimock, model=MODEL)


def test_a_script_lasts_about_as_long_as_asked(writer: ScriptWriter) -> None:
    script = writer.write(asked(target_duration_s=30)).script
    assert 22 <= sum(scene.duration_s for scene in script.scenes) <= 32


def test_no_sentence_is_said_twice(writer: ScriptWriter) -> None:
    script = writer.write(asked()).script
    said = [s.casefold() for scene in script.scenes for s in split_sentences(scene.narration)]
    assert len(said) == len(set(said))


def test_a_script_survives_being_written_as_json(writer: ScriptWriter) -> None:
    script = writer.write(asked()).script
    assert Script.from_json(json.loads(json.dumps(script.to_json()))) == script


def test_what_it_used_has_a_price(writer: ScriptWriter) -> None:
    assert price(writer.write(asked()).usage, PRICES_EUR.parse(PRICES_EUR.default)) > 0


def test_a_language_that_nobody_speaks_is_refused(writer: ScriptWriter) -> None:
    with pytest.raises(InvalidInput) as refused:
        writer.refuse_unfillable(asked(language="fr"), {"en", "de"})
    assert refused.value.errors[0].field == "language"


def test_a_usual_request_is_not_refused(writer: ScriptWriter) -> None:
    writer.refuse_unfillable(asked(language="de-CH"), {"en", "de"})


def test_openai_counts_its_tokens(openai_writer: OpenAiWriter) -> None:
    used = {line.price_key: int(line.quantity) for line in openai_writer.write(asked()).usage}
    assert used == {"openai.input_token": INPUT_TOKENS, "openai.output_token": OUTPUT_TOKENS}


def test_openai_is_asked_for_structured_output(openai_writer: OpenAiWriter, aimock: Aimock) -> None:
    openai_writer.write(asked())
    sent = aimock.requests_to("/v1/chat/completions")[-1]["body"]
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert "Top 5 facts about railway signal boxes" in sent["messages"][-1]["content"]


def test_too_many_requests_are_tried_again_later(openai_writer: OpenAiWriter) -> None:
    with pytest.raises(ProviderUnavailable) as busy:
        openai_writer.write(asked(TOO_BUSY))
    assert busy.value.retry_after_s == RETRY_AFTER_S


def test_a_refused_request_is_final(openai_writer: OpenAiWriter) -> None:
    with pytest.raises(ProviderRejected):
        openai_writer.write(asked(REFUSED))


@pytest.mark.parametrize("answer", [BROKEN, SHORT])
def test_an_unusable_answer_may_be_better_next_time(
    openai_writer: OpenAiWriter, answer: str
) -> None:
    with pytest.raises(ProviderUnavailable):
        openai_writer.write(asked(answer))


def test_a_wrong_key_is_final(aimock: Aimock) -> None:
    with openai_client("wrong", base_url=aimock.openai_url, timeout_s=60) as client:
        writer = OpenAiWriter(client, model=MODEL)
        with pytest.raises(ProviderRejected, match="401"):
            writer.write(asked())


def test_a_server_that_is_away_is_tried_again_later() -> None:
    with openai_client("key", base_url="http://127.0.0.1:9/v1", timeout_s=60) as client:
        writer = OpenAiWriter(client, model=MODEL)
        with pytest.raises(ProviderUnavailable):
            writer.write(asked())
