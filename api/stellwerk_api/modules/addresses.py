"""Where an operation is looked at, by the address that the request came by."""

from uuid import UUID

from stellwerk.jobs.queries import API
from stellwerk_api.aliases import own_status_url


def status_url(operation_id: UUID, *, page: str = "modules") -> str:
    """The page of an operation: below the alias, where one was used."""
    return own_status_url({"operation_id": operation_id}) or f"{API}/{page}/status/{operation_id}"
