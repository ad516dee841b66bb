"""`/api/v1/users`, for administrators."""

from typing import Any

from flask import Response

from stellwerk.jobs.operation import Scope
from stellwerk.jobs.queries import API
from stellwerk_api.auth import requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.json_answers import json_answer
from stellwerk_api.privacy import requests
from stellwerk_api.privacy.schemas import ErasureSchema
from stellwerk_api.users import administering
from stellwerk_api.users.schemas import AccountPage, AccountPatch, AccountSchema, UserQuery

users = Blueprint("users", url_prefix=f"{API}/users", description="Accounts, for administrators.")
BLUEPRINTS = (users,)


@users.get("/")
@requires("users:admin", scope=Scope.OPERATOR)
@users.query(UserQuery)
@users.answers(200, AccountPage)
@users.raises(422)
def browse(query: dict[str, Any]) -> Response:
    """List accounts, newest first."""
    return json_answer(administering.listed(query))


@users.get("/<int:user_id>")
@requires("users:admin", scope=Scope.OPERATOR)
@users.answers(200, AccountSchema)
@users.raises(404)
def show(user_id: int) -> Response:
    """Look at an account."""
    return json_answer(administering.shown(user_id))


@users.patch("/<int:user_id>")
@requires("users:admin", scope=Scope.OPERATOR)
@users.body(AccountPatch, example={"subscription_tier": "pro"})
@users.answers(200, AccountSchema)
@users.raises(404, 409)
def change(fields: dict[str, Any], user_id: int) -> Response:
    """Change an account; another role, or `is_active: false`, signs it out everywhere."""
    return json_answer(administering.changed(user_id, fields))


@users.delete("/<int:user_id>")
@requires("privacy:erase", scope=Scope.OPERATOR)
@users.answers(202, ErasureSchema)
@users.raises(404, 409)
def delete(user_id: int) -> dict[str, Any]:
    """Have an account erased, with everything that is held of its owner."""
    return requests.erasure_of(user_id)
