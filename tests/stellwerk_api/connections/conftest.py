"""The application with a running Nextcloud, and people who use it in browsers of their own."""

from collections.abc import Iterator

import pytest
from flask import Flask

from api import ApiUser, signed_up
from connecting import APP_URL, App, callback, knowing_nextcloud
from nextcloud import Nextcloud, running_nextcloud
from stellwerk.bootstrap import Platform
from stellwerk_api.app import create_app

RETURN_URL = "https://console.example.com/connected"


@pytest.fixture
def cloud(platform: Platform) -> Iterator[Nextcloud]:
    with running_nextcloud(callback(platform.settings, "nextcloud")) as cloud:
        cloud.redirect_urls.append(APP_URL)
        yield cloud


@pytest.fixture
def here(platform: Platform, cloud: Nextcloud) -> Platform:
    return knowing_nextcloud(
        platform, cloud, oauth_return_urls=[RETURN_URL], nextcloud_redirect_urls=[APP_URL]
    )


@pytest.fixture
def app(here: Platform) -> Flask:
    return create_app(here)


@pytest.fixture
def phone(app: Flask, cloud: Nextcloud) -> App:
    return App(ApiUser(app.test_client()), cloud)


@pytest.fixture
def ann(app: Flask) -> ApiUser:
    return signed_up(app.test_client())


@pytest.fixture
def ben(app: Flask) -> ApiUser:
    return signed_up(app.test_client())
