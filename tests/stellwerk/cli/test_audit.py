"""`stellwerk audit`."""

import pytest
from sqlalchemy import text

from command_line import CommandLine
from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.bootstrap import Platform


@pytest.fixture
def recorded(platform: Platform, signed_in: CommandLine) -> CommandLine:
    for name in ("short", "long", "media"):
        with platform.runtime.sessions.begin() as session:
            record(session, action=Action.QUEUE_PAUSED, actor=Party.SYSTEM, target=f"queue:{name}")
    return signed_in


def test_the_record_is_listed(recorded: CommandLine) -> None:
    found = recorded.json("audit", "list", "--action", "queue.paused")
    assert [entry["target"] for entry in found] == ["queue:media", "queue:long", "queue:short"]
    shown = recorded.done("audit", "list", "--limit", "10")
    assert "queue:media" in shown
    assert "audit.read" in shown


def test_a_whole_record_is_verified_and_a_torn_one_is_not(
    platform: Platform, recorded: CommandLine
) -> None:
    assert recorded.json("audit", "verify") == []
    head = recorded.done("audit", "head").strip()
    assert recorded.run("audit", "verify", "--head", head).code == 0
    number = int(head.partition(":")[0])
    assert recorded.json("audit", "head")["sequence"] == number
    with platform.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text("UPDATE audit_entries SET target = 'queue:low' WHERE sequence = :number"),
            {"number": number},
        )
    torn = recorded.run("audit", "verify")
    assert (torn.code, torn.out.strip()) == (1, f"entry {number} was changed")
    assert recorded.run_anew("audit", "verify", "--to", str(number - 1)).code == 0
    assert recorded.run("audit", "verify", "--head", "nonsense").code == 2
