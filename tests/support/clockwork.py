"""A dispatcher's firing of schedules in made-up time, as a process of its own.

    python clockwork.py FROM TO STEP_S

Steps from one instant to another (RFC 3339), fires what is due at each, and prints each instant.
"""

import sys
from datetime import datetime, timedelta

from stellwerk.bootstrap import bootstrap
from stellwerk.schedules.firing import fire_due
from stellwerk.settings import settings


def main(start: str, end: str, step_s: str) -> None:
    """Step through the time."""
    platform = bootstrap(settings(), role="clockwork", pool_size=1)
    now = datetime.fromisoformat(start)
    while now <= datetime.fromisoformat(end):
        fire_due(platform.runtime, now)
        sys.stdout.write(f"{now.isoformat()}\n")
        sys.stdout.flush()
        now += timedelta(seconds=float(step_s))
    platform.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
