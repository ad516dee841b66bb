import pytest

from stellwerk.errors import ConfigurationError
from stellwerk.settings import load_settings
from stellwerk.stack.flower import login_variables

PASSWORD = "one-two-three-four"  # noqa: S105  of nobody
GIVEN = {"FLOWER_BASIC_AUTH": f"ada:{PASSWORD}"}


def test_the_settings_say_who_is_let_in() -> None:
    given = load_settings(flower_user="ada", flower_password=PASSWORD)
    assert login_variables(given, {}) == GIVEN


@pytest.mark.parametrize("mode", ["development", "production"])
@pytest.mark.parametrize("known", [GIVEN, {"FLOWER_AUTH": ".*@example.com"}])
def test_what_the_environment_says_stands(mode: str, known: dict[str, str]) -> None:
    given = load_settings(mode=mode, flower_password="another")
    assert login_variables(given, known) == {}


def test_production_starts_no_flower_that_anybody_may_look_at() -> None:
    assert login_variables(load_settings(), {}) == {}
    with pytest.raises(ConfigurationError, match="set STELLWERK_FLOWER_PASSWORD"):
        login_variables(load_settings(mode="production"), {})


def test_production_starts_no_flower_whose_api_anybody_may_ask() -> None:
    given = load_settings(mode="production", flower_password=PASSWORD)
    with pytest.raises(ConfigurationError, match="no Flower with FLOWER_UNAUTHENTICATED_API"):
        login_variables(given, {"FLOWER_UNAUTHENTICATED_API": "true"})
    assert login_variables(given, {"FLOWER_UNAUTHENTICATED_API": "false"})


@pytest.mark.parametrize(("user", "password"), [("ada", "one,two"), ("a,b", "one"), ("a:b", "one")])
def test_a_login_that_flower_would_read_as_two_is_refused(user: str, password: str) -> None:
    with pytest.raises(ConfigurationError, match="may hold no comma") as caught:
        login_variables(load_settings(flower_user=user, flower_password=password), {})
    assert password not in caught.value.message.split()
