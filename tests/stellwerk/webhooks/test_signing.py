"""What we sign, the standard's own library accepts; what was changed on the way, it does not."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from stellwerk.webhooks.signing import new_secret, signed_headers

BODY = b'{"type":"ping","data":{"name":"Gr\xc3\xbcezi"}}'


def headers(*secrets: str, body: bytes = BODY) -> dict[str, str]:
    return signed_headers("msg_1", datetime.now(UTC), body, secrets)


def test_a_secret_is_random_and_has_the_standards_form() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert len(b64decode(secret.removeprefix("whsec_"))) == 32
    assert new_secret() != secret


def test_the_standards_library_takes_our_signature_and_makes_the_same() -> None:
    secret, now = new_secret(), datetime.now(UTC)
    made = signed_headers("msg_1", now, BODY, [secret])
    assert Webhook(secret).verify(BODY, made)["type"] == "ping"
    assert Webhook(secret).sign("msg_1", now, BODY.decode()) == made["webhook-signature"]


def test_while_secrets_change_either_one_verifies() -> None:
    old, new = new_secret(), new_secret()
    made = headers(new, old)
    assert len(made["webhook-signature"].split()) == 2
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, made)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": str(int((datetime.now(UTC) + timedelta(seconds=30)).timestamp()))},
        {"webhook-signature": "v1,AAAA"},
    ],
)
def test_a_changed_header_does_not_verify(changed: dict[str, str]) -> None:
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers(secret) | changed)


def test_a_changed_body_and_a_strange_secret_do_not_verify() -> None:
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers(secret))
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers(secret))
