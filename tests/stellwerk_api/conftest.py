"""The real application on the suite's real Postgres and Valkey."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import ApiUser, signed_in, signed_up
from stellwerk.bootstrap import Platform
from stellwerk.identity.service import create_admin
from stellwerk_api.app import create_app


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One front for all its tests: it takes seconds of a processor to start."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        is_grouped = "engine_processes" in names or item.get_closest_marker("xdist_group")
        if "front_process" in names and not is_grouped:
            item.add_marker(pytest.mark.xdist_group("front"))


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
