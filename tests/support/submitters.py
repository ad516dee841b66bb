"""A process whose threads submit one job after another until it is killed.

It prints the id of each job that was accepted.
"""

import sys
from threading import Thread

from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.jobs.submission import Submission, submit
from stellwerk.settings import settings

THREADS = 6


def main() -> None:
    """Submit until killed."""
    here = bootstrap(settings(), role="tests-web")
    threads = [Thread(target=_submit_on, args=(here,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _submit_on(here: Platform) -> None:
    while True:
        job_id = submit(here.runtime, Submission("diagnostics.echo", {"message": "x"}, None))
        sys.stdout.write(f"{job_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
