import pytest

from stellwerk.bootstrap import Platform
from stellwerk.connections.securing import end_ways_in
from stellwerk.errors import Conflict, InvalidInput
from stellwerk.identity import passwords
from stellwerk.identity.model import User
from stellwerk.identity.registering import register
from stellwerk.identity.service import by_email, create_admin

EMAIL = "root@example.com"
PASSWORD = "correct horse battery staple"  # noqa: S105  of a throw-away user


def account(platform: Platform) -> User:
    with platform.runtime.sessions() as session:
        found = by_email(session, EMAIL)
    assert found
    return found


def test_an_admin_is_made_verified_and_active(platform: Platform) -> None:
    user_id = create_admin(platform.runtime.sessions, EMAIL, PASSWORD)
    made = account(platform)
    assert (made.id, made.role, made.is_active) == (user_id, "admin", True)
    assert made.email_verified_at
    assert passwords.is_right(PASSWORD, made.password_hash)


def test_an_address_that_has_an_account_is_refused(platform: Platform) -> None:
    register(platform.runtime, email=EMAIL, password=PASSWORD)
    with pytest.raises(Conflict, match="--promote"):
        create_admin(platform.runtime.sessions, EMAIL.upper(), "another password")
    assert account(platform).role == "user"


def test_promoting_makes_the_account_an_admin_with_the_new_password(platform: Platform) -> None:
    register(platform.runtime, email=EMAIL, password=PASSWORD)
    create_admin(platform.runtime.sessions, EMAIL, "another password", promote=end_ways_in)
    made = account(platform)
    assert made.role == "admin"
    assert passwords.is_right("another password", made.password_hash)
    assert not passwords.is_right(PASSWORD, made.password_hash)


@pytest.mark.parametrize(("email", "password"), [("nobody", PASSWORD), (EMAIL, "short")])
def test_what_is_no_account_is_refused(platform: Platform, email: str, password: str) -> None:
    with pytest.raises(InvalidInput):
        create_admin(platform.runtime.sessions, email, password)
