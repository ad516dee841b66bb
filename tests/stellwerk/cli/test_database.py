"""Looking after the schema with the command line."""

from command_line import CommandLine
from stellwerk.db.migrate import head


def test_an_upgrade_tells_the_revision(command_line: CommandLine) -> None:
    assert command_line.json("db", "upgrade") == {"revision": head()}
    assert head() in command_line.done("db", "upgrade", anew=True)
