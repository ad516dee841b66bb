import threading
import time
from pathlib import Path

import pytest

from embedded import running_postgres, running_valkey
from stellwerk.errors import ConfigurationError, StackError
from stellwerk.settings import Settings, load_settings
from stellwerk.stack import given
from stellwerk.stack.given import given_servers, require_given
from stellwerk.stack.ports import free_port
from stellwerk.stack.stopping import Stop

AT_ONCE_S = 60.0  # of a wait ten times as long


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    # What waits to the end cannot be taken for what a busy machine was slow with.
    monkeypatch.setattr(given, "GIVEN_WITHIN_S", 10 * AT_ONCE_S)


def settings(database_url: str = "", redis_url: str = "") -> Settings:
    return load_settings(database_url=database_url, redis_url=redis_url)


def test_servers_that_answer_are_fine(tmp_path: Path) -> None:
    with running_postgres(tmp_path / "pg") as database_url, running_valkey(tmp_path / "kv") as url:
        require_given(settings(database_url, url), Stop())
        alchemy = database_url.replace("postgresql://", "postgresql+psycopg2://")
        require_given(settings(alchemy), Stop())


@pytest.mark.parametrize(
    ("variable", "what", "url"),
    [
        ("DATABASE_URL", "Postgres", "postgresql://me:geheim@127.0.0.1:{port}/x"),
        ("REDIS_URL", "Redis", "redis://:geheim@127.0.0.1:{port}/0"),
    ],
)
def test_one_that_is_not_there_is_named_after_its_time_without_its_password(
    variable: str, what: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its 5 s are waited for where a whole stack is told so.
    monkeypatch.setattr(given, "GIVEN_WITHIN_S", 0.6)
    port = free_port()
    start_s = time.monotonic()
    with pytest.raises(StackError) as caught:
        require_given(settings(**{variable.lower(): url.format(port=port)}), Stop())
    assert time.monotonic() - start_s >= 0.6
    said = caught.value.message
    assert said.startswith(f"{variable}: {what} at 127.0.0.1:{port} cannot be used: ")
    assert "refused" in said
    assert "geheim" not in said
    assert "\n" not in said


def test_a_wrong_password_is_told_at_once(tmp_path: Path, patient: None) -> None:
    del patient
    with running_postgres(tmp_path / "pg") as database_url, running_valkey(tmp_path / "kv") as url:
        wrong_database = settings(database_url.replace("stellwerk:", "stellwerk:x", 1))
        wrong_redis = settings(redis_url=url.replace("redis://:", "redis://:x", 1))
        start_s = time.monotonic()
        with pytest.raises(StackError, match=r"DATABASE_URL: .* password authentication failed"):
            require_given(wrong_database, Stop())
        with pytest.raises(StackError, match=r"REDIS_URL: .* cannot be used: .*password"):
            require_given(wrong_redis, Stop())
        assert time.monotonic() - start_s < AT_ONCE_S


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DATABASE_URL", "mysql://me:geheim@db/x"),
        ("DATABASE_URL", "geheim"),
        ("DATABASE_URL", "postgresql://me:ge@heim@db/x"),
        ("DATABASE_URL", "postgresql://me:ge/heim@db/x"),
        ("DATABASE_URL", "postgresql://me:geheim@[::1/x"),
        ("REDIS_URL", "http://:geheim@cache:6379/0"),
        ("REDIS_URL", "redis://:geheim@cache:99999/0"),
    ],
)
def test_what_is_no_url_of_such_a_server_is_refused_without_showing_it(
    variable: str, url: str
) -> None:
    (server,) = given_servers(settings(**{variable.lower(): url}))
    with pytest.raises(ConfigurationError, match=f"^{variable} is not a URL of") as caught:
        server.require_form()
    assert "heim" not in caught.value.message


def test_a_driver_that_cannot_read_the_url_does_not_show_it() -> None:
    (server,) = given_servers(settings("postgresql://me:geheim@db/x?nonsense=1"))
    with pytest.raises(ConfigurationError, match=r"^DATABASE_URL is not a URL of") as caught:
        server.failure()
    assert "geheim" not in caught.value.message


def test_ctrl_c_ends_the_wait(patient: None) -> None:
    del patient
    stop = Stop()
    threading.Timer(0.5, stop.request).start()
    start_s = time.monotonic()
    require_given(settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"), stop)
    assert time.monotonic() - start_s < AT_ONCE_S
