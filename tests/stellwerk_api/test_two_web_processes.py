"""What ends a session in one web process ends it in every other, at once."""

from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import pytest
import requests

from front import Front, further_web
from full_stack import PASSWORD
from stellwerk.bootstrap import Platform
from stellwerk.identity.service import create_admin

TIMEOUT_S = 60
TRIES = 20


@pytest.fixture(scope="module")
def fronts(
    front_process: Front, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Front, Front]]:
    with further_web(front_process, tmp_path_factory.mktemp("second")) as second:
        yield front_process, second


class Session:
    """Somebody's tokens, used in both processes."""

    def __init__(self, fronts: tuple[Front, Front], email: str) -> None:
        self.fronts = fronts
        said = self.post(0, "/auth/login", {"email": email, "password": PASSWORD}).json()
        self.token, self.refresh_token = said["access_token"], said["refresh_token"]
        self.user_id = said["user"]["id"]

    def post(self, process: int, path: str, body: Any = None, token: str = "") -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.fronts[process].web_url}/api/v1{path}"
        return requests.post(url, json=body, headers=headers, timeout=TIMEOUT_S)

    def statuses(self) -> set[int]:
        """What both processes answer, again and again, so that every thread is asked."""
        headers = {"Authorization": f"Bearer {self.token}"}
        urls = [f"{front.web_url}/api/v1/jobs" for front in self.fronts]
        return {
            requests.get(url, headers=headers, timeout=TIMEOUT_S).status_code
            for _ in range(TRIES)
            for url in urls
        }


@pytest.fixture
def email(platform: Platform) -> str:
    address = f"{token_hex(6)}@example.com"
    create_admin(platform.runtime.sessions, address, PASSWORD)
    return address


def test_signing_out_in_one_is_signing_out_in_both(fronts: tuple[Front, Front], email: str) -> None:
    ada = Session(fronts, email)
    elsewhere = Session(fronts, email)
    assert ada.statuses() == {200}
    assert ada.post(1, "/auth/logout", token=ada.token).status_code == 204
    assert ada.statuses() == {401}
    assert elsewhere.statuses() == {200}


def test_a_stolen_refresh_token_ends_the_session_in_both(
    fronts: tuple[Front, Front], email: str
) -> None:
    ada = Session(fronts, email)
    stolen = {"refresh_token": ada.refresh_token}
    following = {"refresh_token": ada.post(0, "/auth/refresh", stolen).json()["refresh_token"]}
    assert ada.post(1, "/auth/refresh", following).status_code == 200
    assert ada.statuses() == {200}
    assert ada.post(1, "/auth/refresh", stolen).status_code == 401
    assert ada.statuses() == {401}


def test_a_disabled_user_is_out_of_both(
    fronts: tuple[Front, Front], platform: Platform, email: str
) -> None:
    ada = Session(fronts, email)
    create_admin(platform.runtime.sessions, "root@example.com", PASSWORD)
    root = Session(fronts, "root@example.com")
    assert ada.statuses() == {200}
    answer = requests.patch(
        f"{fronts[1].web_url}/api/v1/users/{ada.user_id}",
        json={"is_active": False},
        headers={"Authorization": f"Bearer {root.token}"},
        timeout=TIMEOUT_S,
    )
    assert answer.status_code == 200
    assert ada.statuses() == {401}
