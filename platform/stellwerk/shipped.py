"""Files that ship beside the code: Procfile and migrations.

In a checkout they stand at its root; a wheel installs them under `share/stellwerk`.
"""

import sysconfig
from pathlib import Path


def shipped(name: str) -> Path:
    """Absolute path of a shipped file or folder; raises FileNotFoundError where it is missing."""
    checkout = Path(__file__).resolve().parents[2]
    installed = Path(sysconfig.get_path("data")) / "share" / "stellwerk"
    for root in (checkout, installed):
        if (root / name).exists() and (root / "Procfile").exists():
            return root / name
    raise FileNotFoundError(f"{name} is neither in {checkout} nor in {installed}; reinstall.")
