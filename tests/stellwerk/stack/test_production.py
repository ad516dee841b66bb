import subprocess
import sys
from pathlib import Path

import pytest

from stellwerk.errors import ConfigurationError
from stellwerk.settings import Settings, environment, load_settings
from stellwerk.stack.production import refuse_unfit

KEY = "k" * 32


def production(**overrides: object) -> Settings:
    """Settings that are fit, except for the overrides."""
    return load_settings(
        **{
            "mode": "production",
            "allow_local_providers": True,
            "jwt_secret_key": KEY,
            "behind_proxy": True,
            **overrides,
        }
    )


def refusal(settings: Settings) -> str:
    with pytest.raises(ConfigurationError) as caught:
        refuse_unfit(settings)
    return caught.value.message


def test_development_starts_with_everything_local() -> None:
    refuse_unfit(load_settings(host="0.0.0.0", jwt_secret_key="short"))  # noqa: S104  not opened


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "192.0.2.7", "a.example.com"])  # noqa: S104  not opened
def test_plain_http_is_refused_in_production(host: str) -> None:
    said = refusal(production(host=host, behind_proxy=False))
    assert f"STELLWERK_HOST={host} serves plain HTTP" in said
    assert "STELLWERK_BEHIND_PROXY=true" in said


@pytest.mark.parametrize(
    "told",
    [
        {"behind_proxy": True},
        {"behind_proxy": False, "public_url": "https://stellwerk.example.com"},
        {"behind_proxy": True, "public_url": "https://stellwerk.example.com"},
    ],
)
def test_a_proxy_or_a_certificate_to_be_obtained_is_fine(told: dict[str, object]) -> None:
    refuse_unfit(production(host="0.0.0.0", **told))  # noqa: S104  not opened


def test_tls_that_is_switched_off_is_refused_without_a_proxy() -> None:
    told = {"tls": "off", "public_url": "https://stellwerk.example.com", "behind_proxy": False}
    assert "serves plain HTTP" in refusal(production(**told))


def test_links_without_encryption_are_refused_in_production() -> None:
    said = refusal(production(public_url="http://stellwerk.example.com"))
    assert "PUBLIC_URL=http://stellwerk.example.com" in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://modules.example.com", "serves pages that are not encrypted"),
        ("https://stellwerk.example.com:8100", "is the platform's own host"),
    ],
)
def test_pages_of_modules_have_a_host_of_their_own_in_production(url: str, said: str) -> None:
    public_url = "https://stellwerk.example.com"
    assert said in refusal(production(public_url=public_url, modules_url=url))
    refuse_unfit(production(public_url=public_url, modules_url="https://modules.example.com"))


def test_pages_of_modules_want_the_platforms_own_host_to_be_named() -> None:
    assert "set PUBLIC_URL" in refusal(production(modules_url="https://modules.example.com"))


def test_a_gateway_that_modules_could_tell_routes_is_refused_in_production() -> None:
    open_gateway = {"gateway_admin": "http://127.0.0.1:2019"}
    assert "can be opened by every module" in refusal(production(**open_gateway))
    refuse_unfit(production(**open_gateway, module_runtime="swarm"))
    refuse_unfit(production(gateway_admin="unix:///run/stellwerk/gateway.sock"))


def test_who_does_not_open_the_port_is_not_asked_for_tls() -> None:
    refuse_unfit(production(behind_proxy=False), serves=False)


def test_unverified_login_is_refused_in_production() -> None:
    said = refusal(production(allow_unverified_login=True))
    assert "STELLWERK_ALLOW_UNVERIFIED_LOGIN=true" in said


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("jwt_secret_key", "JWT_SECRET_KEY"),
        ("encryption_key", "STELLWERK_ENCRYPTION_KEY"),
        ("flower_password", "STELLWERK_FLOWER_PASSWORD"),
        ("scrape_token", "STELLWERK_SCRAPE_TOKEN"),
        ("realtime_token", "STELLWERK_REALTIME_TOKEN"),
        ("edge_token", "STELLWERK_EDGE_TOKEN"),
    ],
)
def test_a_secret_out_of_an_example_is_refused_and_not_shown(name: str, variable: str) -> None:
    known = "please-ChangeMe-before-you-start-this"
    said = refusal(production(**{name: known}))
    assert f"{variable} is one that others use too" in said
    assert known not in said


PROCESSES = {
    "web": ("-c", "from stellwerk_api.app import create_app; create_app()"),
    "realtime": ("-m", "stellwerk_api.realtime"),
    "edge": ("-m", "stellwerk.stack.edge"),
    "gateway": ("-m", "stellwerk.stack.gateway"),
    "dispatcher": ("-m", "stellwerk_workers.dispatcher"),
    "telephony": ("-m", "stellwerk_workers.telephony"),
    "worker": ("-m", "celery", "-A", "stellwerk_workers.app", "worker", "-Q", "short"),
    "beat": ("-m", "celery", "-A", "stellwerk_workers.beat_app", "beat"),
    "flower": ("-m", "stellwerk.stack.flower", "--address=127.0.0.1"),
    "up": ("-m", "stellwerk.cli.main", "up"),
}


@pytest.mark.parametrize("name", PROCESSES)
def test_no_process_starts_by_itself_with_what_production_forbids(
    name: str, tmp_path: Path
) -> None:
    told = {
        "STELLWERK_MODE": "production",
        "STELLWERK_HOME": str(tmp_path / "home"),
        "STELLWERK_SCRAPE_TOKEN": "changeme",
    }
    ended = subprocess.run(  # noqa: S603  our own programs
        [sys.executable, *PROCESSES[name]],
        env=environment() | told,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode != 0
    said = ended.stdout + ended.stderr
    assert "Production mode does not start like this" in said
    assert "STELLWERK_SCRAPE_TOKEN is one that others use too" in said
    assert ("serves plain HTTP" in said) == (name in {"edge", "up"})


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
