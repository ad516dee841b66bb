"""What the outside services cost: `provider.unit` to the price of one unit, in EUR."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field

DEFAULTS: Mapping[str, float] = MappingProxyType(
    {
        "template.script": 0.001,
        "local.character": 0.000002,
        "pillow.image": 0.0005,
        "ffmpeg.second": 0.0001,
        "openai.input_token": 0.00000025,
        "openai.output_token": 0.000002,
        "openai.image": 0.04,
        "elevenlabs.character": 0.0002,
    }
)


def _complete(prices: dict[str, Decimal]) -> dict[str, Decimal]:
    """A missing price would stop what needs it; one of nothing is a slip of the pen."""
    missing, unknown = DEFAULTS.keys() - prices.keys(), prices.keys() - DEFAULTS.keys()
    if missing or unknown:
        parts = [f"lacks {', '.join(sorted(missing))}"] if missing else []
        parts += [f"nothing costs {', '.join(sorted(unknown))}"] if unknown else []
        raise ValueError("; ".join(parts))
    return prices


Prices = Annotated[
    dict[str, Annotated[Decimal, Field(ge=0, le=1000)]],
    AfterValidator(_complete),
]
