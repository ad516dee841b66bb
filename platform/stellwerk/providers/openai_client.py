"""OpenAI's SDK: how it is set up here, and its exceptions as ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import openai

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.vendor_errors import provider_error


def openai_client(api_key: str, *, base_url: str, timeout_s: float) -> openai.OpenAI:
    """A client that never retries by itself: the job engine does. Empty `base_url`: OpenAI's."""
    return openai.OpenAI(
        api_key=api_key, base_url=base_url or None, timeout=timeout_s, max_retries=0
    )


@contextmanager
def openai_errors() -> Iterator[None]:
    """Turn the SDK's exceptions into ProviderUnavailable or ProviderRejected."""
    try:
        yield
    except openai.APIStatusError as exc:
        headers = dict(exc.response.headers)
        raise provider_error(
            "OpenAI", exc.status_code, message=exc.message, headers=headers
        ) from exc
    except openai.APIError as exc:  # connection, timeout, an answer that is no JSON
        raise ProviderUnavailable(f"OpenAI could not be reached: {exc.message}") from exc
