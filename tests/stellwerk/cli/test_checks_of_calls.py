"""What `stellwerk doctor` says of calls, of their switch and of its recordings, grade by grade."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from stellwerk.bootstrap import Platform
from stellwerk.calls import recordings
from stellwerk.calls.model import Call, CallTrunk
from stellwerk.choices import CallProvider, Mode
from stellwerk.cli.checks import services
from stellwerk.cli.checks.finding import Finding, Grade, Patient
from stellwerk.clock import new_id
from stellwerk.settings import Settings
from stellwerk.stack.home import Home
from stellwerk.stack.ports import free_port

TRUNK = "freeswitch"
WELL: dict[str, Any] = {
    "holder": "tests",
    "is_connected": True,
    "gateways": {"trunk": True},
    "breaker": "closed",
}
Examined = Callable[..., Patient]


@pytest.fixture
def who(platform: Platform, tmp_path: Path) -> Examined:
    """A machine that is joined to the platform, with these settings."""

    def examined(**values: Any) -> Patient:
        settings = platform.settings.model_copy(update=values)
        return Patient(settings, Home(tmp_path), None, settings)

    return examined


def absent(given: Settings, tmp_path: Path) -> Patient:
    """One where nothing runs."""
    return Patient(given, Home(tmp_path), None, None)


def seen(platform: Platform, **values: Any) -> None:
    """The trunk, as a telephony process at work has stored it."""
    now = datetime.now(UTC)
    row = {**WELL, "held_until": now + timedelta(minutes=1), "checked_at": now, **values}
    stored = insert(CallTrunk).values(name=TRUNK, **row)
    with platform.runtime.sessions.begin() as session:
        session.execute(stored.on_conflict_do_update(index_elements=["name"], set_=row))


@pytest.fixture
def listening() -> Iterator[int]:
    """A port that takes connections."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield int(server.getsockname()[1])


def only(findings: Iterator[Finding]) -> Finding:
    (found,) = findings
    return found


class TestCalls:
    def test_nothing_is_said_where_none_are_set_up_or_nothing_runs(
        self, platform: Platform, who: Examined, tmp_path: Path
    ) -> None:
        assert list(services.check_calls(who(esl_host=""))) == []
        assert list(services.check_calls(absent(platform.settings, tmp_path))) == []

    def test_a_database_that_does_not_answer_is_another_checks_finding(self, who: Examined) -> None:
        nowhere = SecretStr(f"postgresql+psycopg2://nobody@127.0.0.1:{free_port()}/none")
        assert list(services.check_calls(who(database_url=nowhere))) == []

    def test_a_trunk_that_carries_them_is_fine(self, platform: Platform, who: Examined) -> None:
        seen(platform)
        found = only(services.check_calls(who()))
        assert (found.grade, found.remedy) == (Grade.OK, "")
        assert found.message == "freeswitch: connected; up: trunk; the breaker is closed."

    def test_one_that_nobody_has_looked_at_is_a_warning(self, who: Examined) -> None:
        found = only(services.check_calls(who(esl_host="switch.example")))
        assert (found.grade, "no telephony process" in found.message) == (Grade.WARNING, True)
        assert "docs/calls.md" in found.remedy

    @pytest.mark.parametrize(
        ("state", "said"),
        [
            ({"held_until": None}, "no telephony process is at work"),
            ({"checked_at": None}, "has not looked at it lately"),
            ({"is_connected": False}, "not connected"),
            ({"gateways": {"trunk": False, "other": True}}, "down: trunk"),
            ({"breaker": "open"}, "the breaker is open"),
            ({"breaker": "half_open"}, "one call at a time"),
        ],
    )
    def test_one_over_which_calls_may_not_get_through_is_a_warning(
        self, platform: Platform, who: Examined, state: dict[str, Any], said: str
    ) -> None:
        seen(platform, **state)
        found = only(services.check_calls(who()))
        assert (found.grade, said in found.message) == (Grade.WARNING, True)

    def test_a_simulator_is_named_and_in_production_it_is_broken(
        self, platform: Platform, who: Examined
    ) -> None:
        seen(platform, is_simulated=True)
        found = only(services.check_calls(who()))
        assert (found.grade, "(simulator)" in found.message) == (Grade.OK, True)
        found = only(services.check_calls(who(mode=Mode.PRODUCTION)))
        assert (found.grade, "in production" in found.message) == (Grade.BROKEN, True)


class TestTheSwitch:
    def test_none_is_off(self, who: Examined) -> None:
        found = only(services.check_switch(who(esl_host="")))
        assert (found.grade, found.message) == (Grade.OFF, "none: nothing is dialled")

    def test_one_that_takes_connections_is_fine(self, who: Examined, listening: int) -> None:
        found = only(services.check_switch(who(esl_host="127.0.0.1", esl_port=listening)))
        assert (found.grade, found.message) == (Grade.OK, f"at 127.0.0.1:{listening}")

    def test_one_that_takes_none_is_broken(self, who: Examined) -> None:
        found = only(services.check_switch(who(esl_host="127.0.0.1", esl_port=free_port())))
        assert (found.grade, "refused" in found.message) == (Grade.BROKEN, True)
        assert "STELLWERK_ESL_HOST" in found.remedy

    def test_the_simulator_of_the_stack_is_called_so(
        self, platform: Platform, who: Examined, listening: int, tmp_path: Path
    ) -> None:
        joined = who(esl_host="127.0.0.1", esl_port=listening).joined
        chosen = {"esl_host": "", "call_provider": CallProvider.FREESWITCH}
        given = platform.settings.model_copy(update={**chosen, "mode": Mode.DEVELOPMENT})
        found = only(services.check_switch(Patient(given, Home(tmp_path), None, joined)))
        assert (found.grade, "simulator, calls nobody" in found.message) == (Grade.OK, True)


class TestRecordings:
    def recorded(self, platform: Platform, folder: Path) -> None:
        """A plain file of a call that nobody needs any more, of an erased person."""
        values = {
            "provider": TRUNK,
            "ring_timeout_s": 60,
            "max_duration_s": 60,
            "is_recorded": True,
        }
        call_id = new_id()
        with platform.runtime.sessions.begin() as session:
            session.add(Call(id=call_id, state="completed", **values))
            session.flush()
            session.execute(update(Call).values(ended_at=datetime.now(UTC)))
        settings = platform.settings.model_copy(update={"call_recordings_mount": folder})
        recordings.place(settings, call_id).touch()

    def test_nothing_is_said_where_none_is_left_or_nothing_runs(
        self, platform: Platform, who: Examined, tmp_path: Path
    ) -> None:
        assert list(services.check_recordings(who(call_recordings_mount=tmp_path))) == []
        assert list(services.check_recordings(absent(platform.settings, tmp_path))) == []

    def test_files_that_workers_should_have_removed_are_a_warning(
        self, platform: Platform, who: Examined, tmp_path: Path
    ) -> None:
        self.recorded(platform, tmp_path)
        found = only(services.check_recordings(who(call_recordings_mount=tmp_path)))
        assert found.grade is Grade.WARNING
        assert found.message == f"1 plain ones should have been removed from {tmp_path}"
        assert "delete" in found.remedy

    def test_a_folder_that_cannot_be_read_is_a_warning(
        self, platform: Platform, who: Examined, tmp_path: Path
    ) -> None:
        self.recorded(platform, tmp_path)
        file = tmp_path / "a file"
        file.touch()
        found = only(services.check_recordings(who(call_recordings_mount=file)))
        assert (found.grade, "Not a directory" in found.message) == (Grade.WARNING, True)
