"""Limits that nobody reaches, for tests of something else."""

from typing import Any

_OFTEN = "1000000/s"
_BY_TIER = dict.fromkeys(("free", "pro", "enterprise"), _OFTEN)

PLENTY: dict[str, Any] = {  # the setting `config_defaults`
    **{f"rates.{name}": _BY_TIER for name in ("default", "polls", "videos", "calls", "mail")},
    **dict.fromkeys(("rates.login", "rates.login_address", "rates.public"), _OFTEN),
}
