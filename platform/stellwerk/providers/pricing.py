"""What provider calls use, and what that costs: exact decimals, never floats.

A price's key is `provider.unit`, as in the configuration's entry `prices_eur`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from stellwerk.errors import ConfigurationError

# What a second of finished video takes, for estimates; generous, so that a budget holds.
CHARACTERS_PER_S = Decimal(16)
SCENE_S = Decimal(6)
SCRIPT_INPUT_TOKENS = Decimal(900)
SCRIPT_OUTPUT_TOKENS_PER_S = Decimal(8)
SCRIPT_OUTPUT_TOKENS_AT_LEAST = Decimal(600)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one provider call consumed: `quantity` of `unit` (character, image, second ...)."""

    provider: str
    unit: str
    quantity: Decimal

    @property
    def price_key(self) -> str:
        """Where the price of one unit stands in the price table."""
        return f"{self.provider}.{self.unit}"


def unit_price(usage: Usage, prices: Mapping[str, Decimal]) -> Decimal:
    """Price of one unit in EUR; raises ConfigurationError naming a key without a price."""
    try:
        return prices[usage.price_key]
    except KeyError as exc:
        message = f"The entry prices_eur has no price for {usage.price_key!r}."
        raise ConfigurationError(message) from exc


def price(usage: Iterable[Usage], prices: Mapping[str, Decimal]) -> Decimal:
    """Sum in EUR over all of `usage`, unrounded; raises ConfigurationError as `unit_price`."""
    return sum((unit_price(line, prices) * line.quantity for line in usage), Decimal(0))


def expected_usage(
    target_duration_s: float, *, script: str, voice: str, images: str
) -> dict[str, tuple[Usage, ...]]:
    """What a video of this length will use, by step, from the names of its providers."""
    seconds = Decimal(str(target_duration_s))
    pictures = max(Decimal(3), (seconds / SCENE_S).to_integral_value())
    return {
        "script": _expected_script(script, seconds),
        "voice": (Usage(voice, "character", seconds * CHARACTERS_PER_S),),
        "visuals": (Usage(images, "image", pictures),),
        "render": (Usage("ffmpeg", "second", seconds),),
        "package": (),
    }


def estimate(
    target_duration_s: float,
    *,
    script: str,
    voice: str,
    images: str,
    prices: Mapping[str, Decimal],
) -> Decimal:
    """What a video will cost in EUR before it is made: the sum over its steps."""
    steps = expected_usage(target_duration_s, script=script, voice=voice, images=images)
    return sum((price(lines, prices) for lines in steps.values()), Decimal(0))


def _expected_script(provider: str, seconds: Decimal) -> tuple[Usage, ...]:
    if provider == "template":
        return (Usage(provider, "script", Decimal(1)),)
    written = max(SCRIPT_OUTPUT_TOKENS_AT_LEAST, seconds * SCRIPT_OUTPUT_TOKENS_PER_S)
    return (
        Usage(provider, "input_token", SCRIPT_INPUT_TOKENS),
        Usage(provider, "output_token", written),
    )
