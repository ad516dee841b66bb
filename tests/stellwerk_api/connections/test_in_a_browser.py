"""A real browser on the whole way: it has to accept the cookie, and follow links and redirects."""

from collections.abc import Iterator
from threading import Thread

import pytest
from playwright.sync_api import Browser, sync_playwright
from pydantic import SecretStr
from werkzeug.serving import make_server

from api import ApiUser, signed_up
from connecting import begin, knowing
from nextcloud import CLIENT_ID, CLIENT_SECRET, Nextcloud, running_nextcloud
from stellwerk.bootstrap import Platform
from stellwerk.stack.ports import free_port
from stellwerk_api.app import create_app

pytestmark = pytest.mark.browser
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def cloud(port: int) -> Iterator[Nextcloud]:
    url = f"http://127.0.0.1:{port}/api/v1/auth/nextcloud/callback"
    with running_nextcloud(url) as cloud:
        cloud.consents = True
        yield cloud


@pytest.fixture
def ann(platform: Platform, cloud: Nextcloud, port: int) -> Iterator[ApiUser]:
    here = knowing(
        platform,
        public_url=f"http://127.0.0.1:{port}",
        nextcloud_url=cloud.url,
        nextcloud_client_id=CLIENT_ID,
        nextcloud_client_secret=SecretStr(CLIENT_SECRET),
    )
    app = create_app(here)
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield signed_up(app.test_client())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield browser
        browser.close()


def test_a_browser_goes_from_the_ticket_to_the_provider_and_back(
    ann: ApiUser, chromium: Browser
) -> None:
    page = chromium.new_page()
    page.goto(begin(ann).start_url)
    assert page.inner_text("strong") == ann.user["username"]
    page.click("text=Continue to Nextcloud")
    page.wait_for_url("**/callback?*")
    assert page.inner_text("h1") == "Nextcloud is connected"
    assert ann.get("/connections/nextcloud").get_json()["status"] == "active"
    assert page.context.cookies() == []


def test_a_browser_that_began_nothing_is_told_so_on_a_page(ann: ApiUser, chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto(begin(ann).authorization_url)
    page.wait_for_url("**/callback?*")
    assert page.inner_text("h1") == "The account was not connected"
    assert page.inner_text("code") == "OAUTH_OTHER_BROWSER"
