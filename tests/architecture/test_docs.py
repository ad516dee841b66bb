"""Generated documents are what the code generates."""

from pathlib import Path

from stellwerk.docs import GENERATED

ROOT = Path(__file__).resolve().parents[2]


def test_generated_documents_are_up_to_date() -> None:
    for name, generate in GENERATED.items():
        assert (ROOT / name).read_text() == generate(), f"{name}: run `make docs`"
