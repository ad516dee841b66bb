"""Where a call is looked at, by the address that the request came by."""

from uuid import UUID

from stellwerk.jobs.queries import API
from stellwerk_api.aliases import own_status_url


def status_url(call_id: UUID) -> str:
    """The page of a call: below the alias, where one was used."""
    return own_status_url({"call_id": call_id}) or f"{API}/call-status/{call_id}"
