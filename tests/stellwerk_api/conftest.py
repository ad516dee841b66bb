"""The real application on the suite's real Postgres and Valkey."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import ApiUser, signed_in, signed_up
from stellwerk.bootstrap import Platform
from stellwerk.identity.service import create_admin
from stellwerk_api.app import create_app


@pytest.fixture(scope="session")
def application(shared_platform: Platform) -> Flask:
    return create_app(shared_platform)


@pytest.fixture
def client(platform: Platform, application: Flask) -> FlaskClient:  # noqa: ARG001  empties the ledger
    return application.test_client()


@pytest.fixture
def nobody(client: FlaskClient) -> ApiUser:
    return ApiUser(client)


@pytest.fixture
def ada(client: FlaskClient) -> ApiUser:
    return signed_up(client)


@pytest.fixture
def bob(client: FlaskClient) -> ApiUser:
    return signed_up(client)


@pytest.fixture
def admin(platform: Platform, client: FlaskClient) -> ApiUser:
    create_admin(platform.runtime.sessions, "root@example.com", "correct horse battery staple")
    return signed_in(client, "root@example.com")
