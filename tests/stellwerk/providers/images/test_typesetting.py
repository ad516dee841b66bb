"""Text fits its box, in every letter of the languages spoken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.providers.images.typesetting import fit_text, typeface

SIZES_PX = (60, 40, 24)
WORDS = st.lists(st.text("abcdefghijäöüß-", min_size=1, max_size=60), min_size=1, max_size=30)


@given(words=WORDS)
@settings(deadline=None)
def test_no_text_leaves_its_box(words: list[str]) -> None:
    block = fit_text(" ".join(words), "Bold", width_px=500, height_px=200, sizes_px=SIZES_PX)
    assert block.height_px <= 200
    assert all(block.font.getlength(line) <= 500 + block.size_px for line in block.lines)


def test_a_short_text_is_set_large() -> None:
    assert fit_text("Weichen", "Bold", width_px=500, height_px=200, sizes_px=SIZES_PX).size_px == 60


def test_a_long_text_is_set_smaller_before_it_is_cut() -> None:
    text = "Ein Stellwerk stellt Weichen und Signale. " * 3
    block = fit_text(text, "Regular", width_px=500, height_px=200, sizes_px=SIZES_PX)
    assert block.size_px < 60
    assert " ".join(block.lines) == text.strip()


@pytest.mark.parametrize("letter", "äöüÄÖÜßéčłøñ„“”…€§°\u2013\u2019")
def test_the_typeface_has_the_letter(letter: str) -> None:
    font = typeface("Bold", 40)
    assert font.getmask(letter).getbbox() is not None
    assert bytes(font.getmask(letter)) != bytes(font.getmask("\U000f0000"))
