"""docs/realtime.md is carried out word by word."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from full_stack import Client
from jobs_over_http import cancel, submit_for_later
from sockets import Talk, silent, token_of
from stellwerk_api.realtime.messages import CloseCode

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "realtime.md").read_text()
SAME = ("type", "channel", "event", "reason", "code")  # compared by value, all else by type


def lines() -> Iterator[tuple[str, str]]:
    """Who says what, in the examples."""
    for block in re.findall(r"```socket\n(.*?)```", DOCUMENT, flags=re.DOTALL):
        for line in block.splitlines():
            yield line[0], line[2:]


def as_documented(text: str) -> dict[str, Any]:
    shortened = text.replace("{...}", "{}").replace("[...]", "[]")
    said: dict[str, Any] = json.loads(shortened)
    return said


def carry_out(talk: Talk, who: str, text: str) -> None:
    if who == ">":
        talk.connection.send(text)
        return
    said, documented = talk.hear(), as_documented(text)
    assert {key: said[key] for key in SAME if key in said} == {
        key: documented[key] for key in SAME if key in documented
    }
    assert {key: type(value) for key, value in said.items()} == {
        key: type(value) for key, value in documented.items()
    }


def test_the_examples_of_the_document_are_what_happens(client: Client) -> None:
    job_id, ended = submit_for_later(client), submit_for_later(client)
    cancel(client, ended)
    names = {"TOKEN": token_of(client), "JOB": job_id, "ENDED": ended}
    with silent(client.url) as talk:
        for who, text in lines():
            filled = re.sub(r"\b(TOKEN|JOB|ENDED)\b", lambda found: names[found[0]], text)
            carry_out(talk, who, filled)


def test_every_code_we_close_with_is_documented() -> None:
    table = set(map(int, re.findall(r"^\| (\d{4}) \|", DOCUMENT, flags=re.MULTILINE)))
    assert set(CloseCode) <= table
