"""`stellwerk api-keys`."""

import requests

from command_line import CommandLine


def test_a_key_is_made_used_rotated_and_revoked(signed_in: CommandLine) -> None:
    key_id, key = signed_in.done("api-keys", "create", "import", "--scope", "read").split()
    url = f"{signed_in.variables['STELLWERK_URL']}/api/v1/jobs"

    def status(text: str) -> int:
        headers = {"Authorization": f"Bearer {text}"}
        return requests.get(url, headers=headers, timeout=30).status_code

    assert status(key) == 200
    (listed,) = signed_in.json("api-keys", "list")
    assert (listed["id"], listed["name"], listed["scopes"]) == (key_id, "import", ["read"])
    assert listed["prefix"] in signed_in.done("api-keys", "list")

    new = signed_in.json("api-keys", "rotate", key_id, "--overlap-h", "1")
    assert (status(key), status(new["key"])) == (200, 200)
    signed_in.done("api-keys", "revoke", key_id)
    assert (status(key), status(new["key"])) == (401, 200)
    assert signed_in.run_anew("api-keys", "revoke", key_id[::-1]).code == 4
    assert signed_in.run("api-keys", "create", "import").code == 4
