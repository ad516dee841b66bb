import time
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest

from api import UNKNOWN_ID
from embedded import wait_until
from stellwerk.clock import utc_now
from stellwerk.errors import ErrorCode, NotAuthenticated
from stellwerk.identity.tokens import Tokens
from stellwerk_api.credentials import TokenProof, VerifiedTokens


def test_a_token_that_is_remembered_expires_all_the_same() -> None:
    tokens = Tokens("only-for-tests-0123456789-0123456789-0123456789")
    verified = VerifiedTokens(tokens)
    for lasts_s in (2, 10, 60):  # a process that stood still may find the first one over
        token = tokens.sign(7, UUID(UNKNOWN_ID), utc_now() + timedelta(seconds=lasts_s))
        with suppress(NotAuthenticated):
            proof = verified.proof(token)
            assert verified.proof(token) is proof  # it is remembered
            break
    assert isinstance(proof, TokenProof)

    wait_until(lambda: time.time() > proof.claims.expires_at)

    with pytest.raises(NotAuthenticated) as refused:
        verified.proof(token)
    assert refused.value.code is ErrorCode.TOKEN_EXPIRED
