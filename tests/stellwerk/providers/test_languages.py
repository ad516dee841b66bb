"""Language tags are understood, and refused by name."""

import pytest

from stellwerk.errors import InvalidInput
from stellwerk.providers.languages import spoken_language


@pytest.mark.parametrize(
    ("tag", "language"),
    [("en", "en"), ("en-GB", "en"), ("DE", "de"), ("de-CH", "de"), ("de-Latn-AT", "de")],
)
def test_the_region_does_not_matter(tag: str, language: str) -> None:
    assert spoken_language(tag, {"en", "de"}) == language


@pytest.mark.parametrize("tag", ["fr", "", "english", "de_DE", "de-", "12", "de-\n"])
def test_other_tags_are_refused_with_what_there_is(tag: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        spoken_language(tag, {"en", "de"})
    assert refused.value.details["languages"] == ["de", "en"]
