"""Versions in the order of their age, and which of them a dependency takes."""

import random

import pytest

from stellwerk.providers.repositories.versions import dependency, is_version, ordered

BY_AGE = (
    "0.9",
    "1.0.dev1",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0b11",
    "1.0.0-rc.1",
    "1.0.0-x.7.z.92",
    "1.0.0",
    "1.0.post1",
    "1.0.1",
    "1.10",
    "1!0.1",
)


def test_versions_of_pep_440_and_semver_stand_in_one_order() -> None:
    shuffled = random.Random(7).sample(BY_AGE, len(BY_AGE))  # noqa: S311  not a secret
    assert sorted(shuffled, key=ordered) == list(BY_AGE)


def test_a_version_is_as_old_as_the_same_written_otherwise() -> None:
    assert ordered("1.0") == ordered("1.0.0") == ordered("v1")


@pytest.mark.parametrize("text", ["", "one", "1.0/../../x", " 1.0", "1.0 ", "1" * 65, "1.0.0-ä"])
def test_what_no_file_could_be_named_after_is_no_version(text: str) -> None:
    assert not is_version(text)


@pytest.mark.parametrize("text", BY_AGE)
def test_all_of_these_are_versions(text: str) -> None:
    assert is_version(text)


@pytest.mark.parametrize(
    ("needed", "version", "is_fine"),
    [
        ("clock", "0.1", True),
        ("clock>=1.0", "1.0.0", True),
        ("clock>=1.0,<2", "2.0", False),
        ("clock>=1.0", "1.0.0-x.7", False),
        ("clock>=1.0", "1.0.1-x.7", True),
        ("clock~=1.4", "1.5.0-beta.1", True),
    ],
)
def test_a_dependency_takes_versions_within_its_range(
    needed: str, version: str, *, is_fine: bool
) -> None:
    found = dependency(needed)
    assert (found.name, found.admits(version)) == ("clock", is_fine)


@pytest.mark.parametrize(
    "text", ["", "../clock", "clock[fast]", "clock @ https://example.com", "clock>=x", "api"]
)
def test_anything_else_is_no_dependency(text: str) -> None:
    with pytest.raises(ValueError, match="is not a name with a range of versions"):
        dependency(text)
