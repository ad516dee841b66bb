"""What a socket hears when its user comes to have fewer rights."""

from sqlalchemy import text

from front import Front
from full_stack import PASSWORD, Client
from jobs_over_http import cancel, submit_for_later
from sockets import talking, token_of
from stellwerk.bootstrap import Platform
from stellwerk.identity.service import create_admin

EMAIL = "root@example.com"


def signed_in(front: Front) -> Client:
    client = Client(front.url)
    body = {"email": EMAIL, "password": PASSWORD}
    answer = client.expect(200, "POST", "/auth/login", json=body)
    client.session.headers["Authorization"] = f"Bearer {answer['access_token']}"
    return client


def demote(platform: Platform) -> None:
    """As an administrator would with SQL; a session that goes on keeps what it may for a while."""
    with platform.engine.begin() as connection:
        lowered = text("UPDATE users SET role = 'user' WHERE email = :email")
        connection.execute(lowered, {"email": EMAIL})


def test_a_fresh_token_that_allows_less_ends_what_it_does_not_allow(
    client: Client, front: Front, platform: Platform
) -> None:
    create_admin(platform.runtime.sessions, EMAIL, PASSWORD)
    admin = signed_in(front)
    theirs, own = submit_for_later(client), submit_for_later(admin)
    with talking(admin) as talk:
        for job_id in (theirs, own):
            assert talk.subscribe(f"job:{job_id}")["event"] == "snapshot"
        demote(platform)
        talk.say("auth", token=token_of(signed_in(front)))
        assert talk.hear()["type"] == "authenticated"
        ended = {"type": "unsubscribed", "channel": f"job:{theirs}", "reason": "NOT_FOUND"}
        assert talk.hear() == ended
        cancel(client, theirs)
        cancel(admin, own)
        told = talk.hear()
        assert (told["channel"], told["event"]) == (f"job:{own}", "end")


def test_a_fresh_key_that_may_not_read_ends_the_socket(client: Client) -> None:
    body = {"name": "submits", "scopes": ["diagnostics.*"]}
    key = client.expect(201, "POST", "/api-keys", json=body)["key"]
    with talking(client) as talk:
        talk.subscribe("jobs")
        talk.say("auth", token=key)
        assert talk.closed() == (4403, "NOT_PERMITTED")
