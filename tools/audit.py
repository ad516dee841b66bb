"""Asks for known weaknesses of the packages that constraints.txt names; for `make audit`.

pip-audit asks osv.dev about one package after another. Its exit code is that of this program: 0
for none found, 1 for some. Whoever cannot ask knows nothing: that is said, and ends with 3.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LISTED = Path(__file__).resolve().parent.parent / "constraints.txt"
FOUND = 1
NOT_ASKED = 3
WITHIN_S = 180


def main(listed: str = str(LISTED), service_url: str = "https://api.osv.dev/v1/query") -> int:
    """Ask the service and print what it knows of the listed packages; returns an exit code."""
    command = [sys.executable, "-m", "pip_audit", "-f", "json", "-s", "osv"]
    command += ["--osv-url", service_url, "--disable-pip", "--no-deps", "-r", listed]
    try:
        ran = subprocess.run(  # noqa: S603  a program of .venv, with arguments of ours
            command, capture_output=True, text=True, check=False, timeout=WITHIN_S
        )
    except subprocess.TimeoutExpired:
        return not_asked(f"no answer within {WITHIN_S} s")
    if not ran.stdout:
        return not_asked(ran.stderr)
    packages = json.loads(ran.stdout)["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    if skipped:
        return not_asked(f"{len(skipped)} of them it does not know, {skipped[0]['name']} first")
    lines = [line for package in packages for line in weaknesses(package)]
    print("\n".join(lines) or f"{len(packages)} packages, and no weakness is known of any.")
    return FOUND if lines else 0


def not_asked(reason: str) -> int:
    """Say so; the last line of a traceback names the cause."""
    said = reason.strip().splitlines() or ["pip-audit said nothing"]
    print(f"NOT AUDITED: the service could not be asked ({said[-1]}).", file=sys.stderr)
    return NOT_ASKED


def weaknesses(package: dict[str, Any]) -> list[str]:
    """A line for each: the package, the advisory, and the versions that mend it."""
    return [
        f"{package['name']} {package['version']}: {one['id']}, "
        f"mended in {', '.join(one['fix_versions']) or 'no version yet'}"
        for one in package["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
