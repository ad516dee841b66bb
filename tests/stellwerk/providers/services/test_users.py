import os
from pathlib import Path

import pytest

from stellwerk.errors import ProviderRejected
from stellwerk.providers.services.users import module_user, release_users
from stellwerk.settings import Settings, load_settings

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="users of their own need root")

PORT = 20_000
DEFAULT = 610_000


@pytest.fixture
def shelter(tmp_path: Path) -> Path:
    return tmp_path / "shelter"


def settings_of(home: Path, **given: object) -> Settings:
    return load_settings(home=home, **given)


def test_two_homes_have_no_user_in_common(tmp_path: Path, shelter: Path) -> None:
    one, other = settings_of(tmp_path / "one"), settings_of(tmp_path / "other")

    users = [module_user(settings, PORT, shelter) for settings in (one, other, one, other)]

    assert users == [DEFAULT, DEFAULT + 250] * 2


def test_a_home_keeps_its_users_when_others_go(tmp_path: Path, shelter: Path) -> None:
    one, other = settings_of(tmp_path / "one"), settings_of(tmp_path / "other")
    module_user(one, PORT, shelter)
    before = module_user(other, PORT, shelter)

    release_users(tmp_path / "one", shelter)

    assert module_user(other, PORT, shelter) == before
    assert module_user(settings_of(tmp_path / "third"), PORT, shelter) == DEFAULT


def test_users_that_the_settings_name_are_refused_where_another_home_has_them(
    tmp_path: Path, shelter: Path
) -> None:
    module_user(settings_of(tmp_path / "one", module_users_from=700_000), PORT, shelter)

    with pytest.raises(ProviderRejected, match=str(tmp_path / "one")):
        module_user(settings_of(tmp_path / "other", module_users_from=700_100), PORT, shelter)


def test_a_home_that_is_gone_claims_nothing(tmp_path: Path, shelter: Path) -> None:
    module_user(settings_of(tmp_path / "one"), PORT, shelter)
    (tmp_path / "one").rename(tmp_path / "moved")

    assert module_user(settings_of(tmp_path / "moved"), PORT, shelter) == DEFAULT
