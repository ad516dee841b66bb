import pytest

from stellwerk.errors import ConfigurationError
from stellwerk.vault import Vault

OLD, NEW = "an old key of thirty-two or more bytes", "a new key of thirty-two or more bytes"


def test_what_was_sealed_is_opened_and_cannot_be_read_in_between() -> None:
    sealed = Vault([OLD]).seal("whsec_x")
    assert b"whsec" not in sealed
    assert Vault([OLD]).open(sealed) == "whsec_x"
    assert Vault([OLD]).seal("whsec_x") != sealed


def test_after_a_change_of_keys_the_old_ones_still_open() -> None:
    sealed = Vault([OLD]).seal("x")
    both = Vault([NEW, OLD])
    assert both.open(sealed) == "x"
    assert Vault([NEW]).open(both.seal("y")) == "y"


def test_marks_of_former_keys_are_found_among_those_of_all_keys() -> None:
    (stored,) = Vault([OLD]).marks(b"body")
    assert stored in Vault([NEW, OLD]).marks(b"body")
    assert stored not in Vault([NEW, OLD]).marks(b"another body")
    assert Vault([NEW, OLD]).marks(b"body")[0] == Vault([NEW]).marks(b"body")[0]
    with pytest.raises(ConfigurationError, match="ENCRYPTION_KEY"):
        Vault([]).marks(b"body")


def test_a_lost_key_and_a_changed_text_are_told() -> None:
    sealed = Vault([OLD]).seal("x")
    with pytest.raises(ConfigurationError, match="ENCRYPTION_KEY"):
        Vault([NEW]).open(sealed)
    with pytest.raises(ConfigurationError):
        Vault([OLD]).open(sealed[:-4] + b"AAAA")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="32"):
        Vault([OLD, "short"])
