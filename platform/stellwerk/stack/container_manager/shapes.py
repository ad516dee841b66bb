"""JSON of a known shape: what is not named is refused.

Docker takes names in any case, and merges objects that come twice. So names are compared exactly,
and what Docker gets is what was read here, written anew.
"""

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from stellwerk.stack.container_manager.refusal import Refused

Allowed = Callable[[Any], bool]
Shape = Mapping[str, "Allowed | Shape"]  # a name that ends in ? may be missing

LARGEST = 2**62


def read(body: bytes) -> dict[str, Any]:
    """An object; raises Refused for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise Refused("The body is not JSON.", HTTPStatus.BAD_REQUEST) from exc
    if not isinstance(found, dict):
        raise Refused("The body is no object.", HTTPStatus.BAD_REQUEST)
    return found


def require(found: Any, shape: Shape, at: str) -> None:
    """Raise Refused, naming the place, for what is not as the shape says."""
    if not isinstance(found, dict):
        raise Refused(f"{at} is no object.")
    known = {name.removesuffix("?") for name in shape}
    for name in found:
        if name not in known:
            raise Refused(f"{at}.{name[:80]} is not allowed.")
    for name, wanted in shape.items():
        _require_one(found, name, wanted, at)


def _require_one(found: Mapping[str, Any], name: str, wanted: "Allowed | Shape", at: str) -> None:
    key = name.removesuffix("?")
    if key not in found:
        if key == name:
            raise Refused(f"{at}.{key} is missing.")
        return
    if isinstance(wanted, Mapping):
        require(found[key], wanted, f"{at}.{key}")
    elif not wanted(found[key]):
        raise Refused(f"{at}.{key} has a value that is not allowed.")


def exactly(*values: Any) -> Allowed:
    """One of these values, and of the same type: 1 is not True."""
    return lambda found: any(type(found) is type(value) and found == value for value in values)


def yes(found: Any) -> bool:
    """The value true."""
    return found is True


def number(most: float = LARGEST, *, least: int = 0) -> Allowed:
    """A whole number."""
    return lambda found: type(found) is int and least <= found <= most


def text(pattern: str = r"(?s).*") -> Allowed:
    """A text that matches as a whole."""
    return lambda found: isinstance(found, str) and re.fullmatch(pattern, found) is not None


def texts(pattern: str = r"(?s).*") -> Allowed:
    """A list of such."""
    one = text(pattern)
    return lambda found: isinstance(found, list) and all(one(item) for item in found)
