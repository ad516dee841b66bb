"""Accounts are erased by those who own them, and by administrators."""

from api import PASSWORD, ApiUser, error_of


def test_ones_own_account_is_erased_with_the_password(ada: ApiUser) -> None:
    refused = ada.send("DELETE", "/users/me", json={"password": "not hers"})
    assert error_of(refused, 401)["code"] == "INVALID_CREDENTIALS"
    error_of(ada.send("DELETE", "/users/me", json={}), 422)
    answer = ada.send("DELETE", "/users/me", json={"password": PASSWORD})
    assert answer.status_code == 202, answer.text
    said = answer.get_json()
    assert (said["kind"], said["status"]) == ("erase", "pending")
    assert said["receipt_url"]
    error_of(ada.send("DELETE", "/users/me", json={"password": PASSWORD}), 409)


def test_a_key_erases_nobody(ada: ApiUser) -> None:
    error_of(ada.with_key().send("DELETE", "/users/me", json={"password": PASSWORD}), 403)


def test_an_administrator_erases_an_account(admin: ApiUser, ada: ApiUser, bob: ApiUser) -> None:
    path = f"/users/{ada.user['id']}"
    error_of(bob.send("DELETE", path), 403)
    answer = admin.send("DELETE", path)
    assert answer.status_code == 202, answer.text
    assert answer.get_json()["kind"] == "erase"
    error_of(admin.send("DELETE", "/users/999999"), 404)
    error_of(admin.send("DELETE", f"/users/{admin.user['id']}"), 409)
