import pytest

from stellwerk.errors import ConfigurationError
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.production import refuse_unfit

KEY = "k" * 32


def production(**overrides: object) -> Settings:
    """Settings that are fit, except for the overrides."""
    return load_settings(
        **{
            "mode": "production",
            "allow_local_providers": True,
            "jwt_secret_key": KEY,
            **overrides,
        }
    )


def refusal(settings: Settings) -> str:
    with pytest.raises(ConfigurationError) as caught:
        refuse_unfit(settings)
    return caught.value.message


def test_development_starts_with_everything_local() -> None:
    refuse_unfit(load_settings(host="0.0.0.0", jwt_secret_key="short"))  # noqa: S104  not opened


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_plain_http_on_loopback_is_fine_in_production(host: str) -> None:
    refuse_unfit(production(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "stellwerk.example.com"])  # noqa: S104  not opened
def test_plain_http_on_a_public_address_is_refused_in_production(host: str) -> None:
    said = refusal(production(host=host, public_url="http://stellwerk.example.com"))
    assert f"STELLWERK_HOST={host} serves plain HTTP" in said
    assert "STELLWERK_BEHIND_PROXY=true" in said


@pytest.mark.parametrize(
    "told", [{"behind_proxy": True}, {"public_url": "https://stellwerk.example.com"}]
)
def test_a_proxy_with_tls_makes_a_public_address_fine(told: dict[str, object]) -> None:
    refuse_unfit(production(host="0.0.0.0", **told))  # noqa: S104  not opened


def test_each_local_part_is_named_in_production() -> None:
    said = refusal(production(allow_local_providers=False))
    named = [line.strip().partition("=")[0] for line in said.splitlines()[1:]]
    assert named == [
        "STELLWERK_SCRIPT_PROVIDER",
        "STELLWERK_VOICE_PROVIDER",
        "STELLWERK_IMAGE_PROVIDER",
        "STELLWERK_ARTIFACT_STORE",
        "STELLWERK_MAIL_PROVIDER",
    ]
    assert said.count("STELLWERK_ALLOW_LOCAL_PROVIDERS=true") == 5


def test_outside_parts_are_fine_in_production() -> None:
    refuse_unfit(
        production(
            allow_local_providers=False,
            script_provider="openai",
            voice_provider="elevenlabs",
            image_provider="openai",
            artifact_store="s3",
            mail_provider="smtp",
        )
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_mails_go_in_clear_text_to_this_machine_at_most_in_production(host: str) -> None:
    in_clear = {"mail_provider": "smtp", "smtp_security": "none"}
    refuse_unfit(production(smtp_host=host, **in_clear))
    said = refusal(production(smtp_host="mail.example.com", **in_clear))
    assert "STELLWERK_SMTP_SECURITY=none sends mails" in said


def test_a_short_key_is_refused_in_production_and_not_shown() -> None:
    said = refusal(production(jwt_secret_key=KEY[1:]))
    assert "JWT_SECRET_KEY is shorter than 32 bytes" in said
    assert KEY[1:] not in said


def test_a_key_that_is_not_given_is_made_and_so_long_enough() -> None:
    refuse_unfit(production(jwt_secret_key=""))
