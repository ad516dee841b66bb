"""Looking after the keys with the command line."""

from command_line import CommandLine
from hooks import hook
from stellwerk.bootstrap import Platform
from stellwerk.vault import Vault

NEW = "another-key-0123456789-0123456789-0123456789"


def test_a_new_key_takes_over_and_the_old_one_can_go(
    command_line: CommandLine, platform: Platform
) -> None:
    hook(platform, "https://a.example")
    (old,) = platform.settings.encryption_keys()
    before, after = Vault([old]).present_key, Vault([NEW]).present_key
    command_line.variables["STELLWERK_ENCRYPTION_KEY"] = f"{NEW},{old}"

    secret = {"holding": "webhook_secrets.sealed", "values": 1}
    found = command_line.json("keys", "status")
    assert found["keys"] == [after, before]
    assert secret | {"key": before, "state": "older"} in found["held"]
    moved = command_line.json("keys", "rotate-data")
    assert (moved["key"], moved["moved"]["webhook_secrets.sealed"]) == (after, 1)
    held = command_line.json("keys", "status")["held"]
    assert secret | {"key": after, "state": "present"} in held
    assert {one["key"] for one in held} == {after}

    command_line.variables["STELLWERK_ENCRYPTION_KEY"] = old
    assert "MISSING" in command_line.done("keys", "status")
    ran = command_line.run_anew("keys", "rotate-data")
    assert (ran.code, "STELLWERK_ENCRYPTION_KEY lacks" in ran.err) == (1, True)
