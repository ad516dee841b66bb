"""What the demonstration shows of a video's cost."""

from typing import Any

from stellwerk.cli.demo_report import summed


def line(step: str, unit_price: float = 0.04) -> dict[str, Any]:
    amount = 2 * unit_price
    return {
        "step": step,
        "provider": "openai",
        "unit": "image",
        "quantity": 2,
        "unit_price": unit_price,
        "amount": amount,
    }


def test_lines_of_one_step_provider_unit_and_price_are_added_up() -> None:
    found = summed([line("images"), line("images"), line("thumbnail"), line("images", 0.08)])
    assert [(one["step"], one["quantity"], one["amount"]) for one in found] == [
        ("images", 4, 0.16),
        ("thumbnail", 2, 0.08),
        ("images", 2, 0.16),
    ]
