"""What the routes answer by which somebody proves who they are."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Response

from stellwerk.connections import signing_in
from stellwerk.connections.signing_in import Shown
from stellwerk.identity import proving, registering, service
from stellwerk.identity.notices import Occasion
from stellwerk.identity.proving import Ended
from stellwerk.jobs.queries import API
from stellwerk_api.accounts.profiles import own_profile
from stellwerk_api.auth import caller, count_proof, credentials
from stellwerk_api.context import platform
from stellwerk_api.json_answers import ApiResponse, json_answer
from stellwerk_api.languages import wanted_language
from stellwerk_api.limits import note

WRITTEN = "We have written to the address, if there is something to say to it."
REGISTERED = "We have written to the address. If it is new, its account is ready."


def registered(body: Mapping[str, Any]) -> Response:
    """The same for an address that has an account."""
    registering.register(platform().runtime, language=wanted_language(), **body)
    return json_answer({"message": REGISTERED}, 202)


def written(occasion: Occasion, email: str) -> Response:
    """The same for every address."""
    proving.ask(platform().runtime, occasion, email, wanted_language())
    return json_answer({"message": WRITTEN}, 202)


def verified(token: str) -> Response:
    """The address is its owner's now."""
    proving.verify(platform().runtime, token, wanted_language())
    return json_answer({"message": "The e-mail address is verified."})


def told_how() -> Response:
    """What to do with the link of a mail where no page of the installation's does it."""
    where = f"{API}/auth/password-reset/confirm"
    message = f"POST the token of this link and a new password to {where}."
    return json_answer({"message": message})


def reset(body: Mapping[str, Any]) -> Response:
    """A new password by the link of a mail."""
    here = platform().runtime
    return _ended(proving.reset(here, body["token"], body["password"], wanted_language()))


def changed_password(body: Mapping[str, Any]) -> Response:
    """A new password by the present one."""
    count_proof()
    ended = proving.change_password(
        platform().runtime,
        caller().user_id,
        current=body["current_password"],
        new=body["new_password"],
        language=wanted_language(),
    )
    return _ended(ended)


def changed_profile(body: Mapping[str, Any]) -> Response:
    """The caller's account; another address is asked for, not set."""
    runtime, user_id = platform().runtime, caller().user_id
    fields = dict(body)
    email, password, code = (fields.pop(name, None) for name in ("email", "password", "nextcloud"))
    if email is not None:
        prove = partial(_proved, password or "", code, email)
        proving.ask_for_address(runtime, user_id, email, wanted_language(), prove)
    service.change_profile(runtime.sessions, user_id, fields)
    return own_profile()


def _proved(password: str, code: Mapping[str, Any] | None, mailed: str) -> None:
    """It is the caller, who may have a mail written to that address."""
    runtime, user_id = platform().runtime, caller().user_id
    count_proof()
    if code:
        signing_in.prove(runtime, user_id, Shown(**code))
    else:
        proving.require_password(runtime, user_id, password)
    note(credentials().limiter.count_mail(caller(), mailed))


def _ended(ended: Ended) -> Response:
    credentials().forget(ended.sessions, ended.key_hashes)
    return ApiResponse(status=204)
