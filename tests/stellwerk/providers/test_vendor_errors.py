"""A vendor's status decides whether a job is tried again."""

from datetime import UTC, datetime

import pytest

from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.vendor_errors import provider_error, retry_after_s


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_overload_and_faults_are_tried_again(status: int) -> None:
    error = provider_error("V", status, message="m", headers={"Retry-After": "12"})
    assert isinstance(error, ProviderUnavailable)
    assert error.retry_after_s == 12


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_what_is_wrong_with_the_request_is_final(status: int) -> None:
    assert isinstance(provider_error("V", status, message="m", headers={}), ProviderRejected)


def test_a_date_to_come_back_at_is_understood() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert retry_after_s({"retry-after": "Thu, 01 Jan 2026 12:01:30 GMT"}, now) == 90


@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}, {"retry-after": "-3"}])
def test_an_unusable_hint_is_no_hint(headers: dict[str, str]) -> None:
    assert retry_after_s(headers) is None


@pytest.mark.parametrize("hint", ["\u00b2", "Thu, 01 Jan 99999 12:00:00 GMT", "1" * 400])
def test_a_hint_that_is_meant_to_hurt_does_no_harm(hint: str) -> None:
    assert retry_after_s({"retry-after": hint}) in {None, float("inf")}


def test_a_date_without_a_zone_is_taken_as_utc() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert retry_after_s({"retry-after": "Thu, 01 Jan 2026 12:01:30 -0000"}, now) == 90
