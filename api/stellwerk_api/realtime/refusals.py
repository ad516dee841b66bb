"""What is told of a refusal, of web's or our own."""

from typing import Any

from stellwerk.errors import ApiRefused, StellwerkError

STATUS = "status"  # in the details of web's refusals, for ourselves


def details_of(error: StellwerkError) -> dict[str, Any]:
    """`details` of an error, as web tells them."""
    found = [{"field": one.field, "reason": one.reason} for one in error.errors]
    if found:
        return {**found[0], "errors": found}
    is_webs = isinstance(error, ApiRefused)
    return {name: value for name, value in error.details.items() if name != STATUS or not is_webs}
