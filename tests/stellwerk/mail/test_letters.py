"""The platform's own letters, in both languages and both forms."""

from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import UndefinedError

from stellwerk.mail.letters import FOLDER, LANGUAGES, VARIABLES, Letter, Letterhead, Written, write

LETTERHEAD = Letterhead("Stellwerk", "https://stellwerk.example.com")
LINK = "https://stellwerk.example.com/confirm?token=abc&next=%2F"
VALUES: dict[str, Any] = {"link": LINK, "valid_h": 24, "valid_days": 7, "provider": "Google"}
LINE_MAX = 78  # RFC 5322, 2.1.1


class Words(HTMLParser):
    """Text and targets of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.targets: list[str | None] = []

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.targets += [value for name, value in attrs if tag == "a" and name == "href"]


def written(letter: Letter, language: str, **values: Any) -> Written:
    wanted = VARIABLES[letter]().fields
    return write(letter, language, {name: VALUES[name] for name in wanted} | values, LETTERHEAD)


def seen(letter: Written) -> Words:
    words = Words()
    words.feed(letter.html or "")
    return words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("letter", Letter)
class TestEveryLetter:
    def test_says_the_same_in_both_forms(self, letter: Letter, language: str) -> None:
        made = written(letter, language)
        body = made.text.partition("\n-- \n")[0].replace(LINK, "").split()
        assert [word for word in body if not {word, word[:-1]} & set(seen(made).words)] == []

    def test_leads_where_it_is_told_to(self, letter: Letter, language: str) -> None:
        made = written(letter, language)
        has_link = "link" in VARIABLES[letter]().fields
        assert (LINK in made.text.splitlines(), LINK in seen(made).targets) == (has_link, has_link)

    def test_has_a_subject_on_one_line_and_a_heading(self, letter: Letter, language: str) -> None:
        made = written(letter, language)
        assert made.subject == made.subject.strip()
        assert made.subject.isprintable()
        assert made.html is not None
        assert f'<html lang="{language}">' in made.html
        assert set(made.subject.split()) <= set(seen(made).words)

    def test_keeps_its_lines_short(self, letter: Letter, language: str) -> None:
        lines = [line for line in written(letter, language).text.splitlines() if line != LINK]
        assert max(map(len, lines)) <= LINE_MAX

    def test_has_no_value_that_its_schema_does_not_ask_for(
        self, letter: Letter, language: str
    ) -> None:
        wanted = {name: VALUES[name] for name in VARIABLES[letter]().fields}
        for name in wanted:
            rest = {key: value for key, value in wanted.items() if key != name}
            with pytest.raises(UndefinedError):
                write(letter, language, rest, LETTERHEAD)


def test_every_letter_has_a_file_in_every_language_and_no_other_has() -> None:
    for language in LANGUAGES:
        names = {path.stem for path in (FOLDER / language).iterdir()}
        assert names == {*Letter, "closing"}


def test_languages_differ() -> None:
    for letter in Letter:
        assert len({written(letter, language).subject for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize(("count", "words"), [(1, "1 hour."), (24, "24 hours.")])
def test_one_hour_is_not_hours(count: int, words: str) -> None:
    text = written(Letter.VERIFY_EMAIL, "en", valid_h=count).text
    assert words in " ".join(text.split())


def test_values_are_escaped_in_html_and_only_there() -> None:
    link = "https://stellwerk.example.com/?a='b'&c=d"
    made = written(Letter.RESET_PASSWORD, "en", link=link)
    assert link in made.text
    assert made.html is not None
    assert link not in made.html
    assert link in seen(made).targets


@pytest.mark.parametrize(
    ("letter", "variables"),
    [
        (Letter.VERIFY_EMAIL, {"link": LINK}),
        (Letter.VERIFY_EMAIL, {"link": LINK, "valid_h": 24, "name": "Win a prize"}),
        (Letter.VERIFY_EMAIL, {"link": "javascript:alert(1)", "valid_h": 24}),
        (Letter.VERIFY_EMAIL, {"link": 'https://a.example/"><b>', "valid_h": 24}),
        (Letter.VERIFY_EMAIL, {"link": "https://a.example/ and more", "valid_h": 24}),
        (Letter.VERIFY_EMAIL, {"link": f"https://a.example/{'x' * 2000}", "valid_h": 24}),
        (Letter.VERIFY_EMAIL, {"link": LINK, "valid_h": 0}),
        (Letter.ACCOUNT_DELETED, {"link": LINK}),
        (Letter.CONNECTION_LOST, {"link": LINK, "provider": "Google <b>"}),
        (Letter.CONNECTION_LOST, {"link": LINK, "provider": "x\nBcc: eve@example.com"}),
    ],
    ids=str,
)
def test_what_does_not_belong_into_a_letter_is_refused(
    letter: Letter, variables: dict[str, Any]
) -> None:
    assert VARIABLES[letter]().validate(variables)
