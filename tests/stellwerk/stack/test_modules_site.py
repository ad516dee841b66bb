"""Where the edge opens the origin of modules' pages, and which origins are refused."""

import socket
from pathlib import Path

import pytest
import trustme

from stellwerk.errors import ConfigurationError, PortTaken
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.home import Home
from stellwerk.stack.modules_site import modules_host, modules_site, modules_wish
from stellwerk.stack.plan import make_plan
from stellwerk.stack.ports import Wish, choose_ports
from stellwerk.stack.production import refuse_unfit
from stellwerk.stack.report import stack_urls

PUBLIC = "https://stellwerk.example.com"
SUBDOMAIN = "https://modules.example.com"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    return made


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    folder = tmp_path / "certificates"
    folder.mkdir()
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "fullchain.pem")
    issued.private_key_pem.write_to_path(folder / "privkey.pem")
    return folder


def told(**overrides: object) -> Settings:
    return load_settings(**{"certificate_dir": "/nonexistent", **overrides})


def test_in_development_it_is_a_second_port(home: Home) -> None:
    given = told(home=home.path)
    assert modules_wish(given) == Wish(8100, remedy="STELLWERK_MODULES_PORT=0")
    assert modules_site(given, 8100) == "http://:8100"
    assert modules_host(given) == "127.0.0.1"


def test_a_second_port_that_is_taken_is_another_unless_it_was_demanded(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert choose_ports(home, "127.0.0.1", 0, Wish(port))["modules"] != port
        wish = modules_wish(told(modules_port=port))
        assert wish
        assert wish.is_demanded
        with pytest.raises(PortTaken, match="Choose another: STELLWERK_MODULES_PORT=0"):
            choose_ports(home, "127.0.0.1", 0, wish)


def test_where_any_port_will_do_the_second_may_be_any_too() -> None:
    assert modules_wish(told(port=0)) == Wish(0, remedy="STELLWERK_MODULES_PORT=0")


def test_the_stack_says_where_modules_are(home: Home) -> None:
    plan = make_plan(told(home=home.path, port=0), home)
    assert stack_urls(plan.filled)["modules"] == f"http://127.0.0.1:{plan.ports['modules']}/"
    assert plan.filled.gateway_port == plan.ports["gateway"]


def test_with_certificates_it_is_encrypted_as_well(home: Home, certificates: Path) -> None:
    plan = make_plan(told(home=home.path, certificate_dir=certificates, tls_port=0), home)
    port = plan.ports["modules"]
    assert modules_site(plan.filled, port) == f"https://:{port}"
    assert plan.filled.modules_base_url() == f"https://127.0.0.1:{port}"


def test_with_a_domain_of_its_own_it_shares_the_edges_port(certificates: Path) -> None:
    acme = told(mode="production", public_url=PUBLIC, modules_url=SUBDOMAIN)
    files = told(certificate_dir=certificates, tls_port=443, modules_url=SUBDOMAIN)
    for given in (acme, files):
        assert modules_wish(given) is None
        assert modules_site(given, 443) == f"{SUBDOMAIN}:443"


def test_a_certificate_is_obtained_for_another_port_of_its_domain() -> None:
    given = told(mode="production", public_url=PUBLIC, modules_url=f"{SUBDOMAIN}:8443")
    wish = modules_wish(given)
    assert wish
    assert (wish.port, wish.is_demanded) == (8443, True)
    assert modules_site(given, 8443) == f"{SUBDOMAIN}:8443"


def test_in_production_nobody_reaches_it_before_it_has_a_url() -> None:
    production = {"mode": "production", "public_url": PUBLIC, "host": "0.0.0.0"}  # noqa: S104  told
    assert modules_host(told(**production)) == "127.0.0.1"
    assert modules_host(told(**production, modules_url=SUBDOMAIN)) == "0.0.0.0"  # noqa: S104  same


def test_a_platform_that_names_none_starts_in_production(home: Home, certificates: Path) -> None:
    production = {"mode": "production", "allow_local_providers": True, "host": "0.0.0.0"}  # noqa: S104  told
    given = told(**production, home=home.path, certificate_dir=certificates, tls_port=0)
    filled = make_plan(given, home).filled
    refuse_unfit(filled)
    assert modules_host(filled) == "127.0.0.1"


@pytest.mark.parametrize(
    ("overrides", "origin"),
    [
        ({}, "http://127.0.0.1:8100"),
        ({"host": "::1"}, "http://[::1]:8100"),
        ({"public_url": f"{PUBLIC}/"}, f"{PUBLIC}:8100"),
        ({"modules_url": f"{SUBDOMAIN}/"}, SUBDOMAIN),
    ],
)
def test_links_to_modules_begin_with_their_origin(overrides: dict[str, str], origin: str) -> None:
    assert told(**overrides).modules_base_url() == origin


@pytest.mark.parametrize(
    "overrides",
    [
        {"cors_origins": ["http://127.0.0.1:8100"]},
        {"cors_origins": [SUBDOMAIN], "modules_url": SUBDOMAIN},
        {"public_url": SUBDOMAIN, "modules_url": SUBDOMAIN},
        {"port": 8100, "modules_port": 8100},
    ],
)
def test_modules_pages_never_come_from_an_origin_that_the_platform_trusts(
    overrides: dict[str, object],
) -> None:
    with pytest.raises(ConfigurationError, match="would act for whoever is signed in"):
        told(**overrides)


@pytest.mark.parametrize(
    "overrides", [{"modules_url": f"{SUBDOMAIN}/pages"}, {"gateway_admin": "localhost:2019"}]
)
def test_what_is_no_origin_or_no_place_is_refused(overrides: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="Settings are wrong"):
        told(**overrides)
