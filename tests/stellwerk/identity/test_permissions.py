import pytest

from stellwerk.errors import NotPermitted
from stellwerk.identity.caller import by_key, signed_in
from stellwerk.identity.permissions import (
    NOT_FOR_API_KEYS,
    PERMISSIONS,
    Audience,
    Role,
    permissions_of,
)

SESSION = "01890000-0000-7000-8000-000000000000"


def test_each_role_holds_what_the_one_before_does() -> None:
    user, operator, admin = (permissions_of(role) for role in Role)
    assert user < operator < admin == frozenset(PERMISSIONS)


def test_what_no_key_may_do_is_a_permission() -> None:
    assert frozenset(PERMISSIONS) >= NOT_FOR_API_KEYS


def test_a_missing_permission_is_named() -> None:
    caller = signed_in(1, "user", SESSION)  # type: ignore[arg-type]  # only carried along
    with pytest.raises(NotPermitted, match="users:admin"):
        caller.require("users:admin")


def test_a_pattern_limits_which_operations_a_key_submits() -> None:
    caller = by_key(1, "user", SESSION, ("videos.*",))  # type: ignore[arg-type]  # only carried along
    caller.require_scope(changes=True, submits=True)
    caller.require_operation("videos.generate", "videos:generate")
    with pytest.raises(NotPermitted, match=r"diagnostics\.echo"):
        caller.require_operation("diagnostics.echo", "jobs:submit")
    with pytest.raises(NotPermitted, match="write"):
        caller.require_scope(changes=True)


def test_calls_are_placed_by_sessions_for_telephony_alone() -> None:
    ordinary = signed_in(1, "user", SESSION)  # type: ignore[arg-type]  # only carried along
    with pytest.raises(NotPermitted, match="telephony") as refused:
        ordinary.require_operation("calls.originate", "calls:originate")
    assert refused.value.details == {"permission": "calls:originate", "audience": "telephony"}
    signed_in(1, "user", SESSION, audience=Audience.TELEPHONY).require("calls:originate")  # type: ignore[arg-type]  # the same
    by_key(1, "user", SESSION, ("calls.*",)).require("calls:originate")  # type: ignore[arg-type]  # the same
