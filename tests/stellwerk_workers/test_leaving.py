"""Wake-ups of operations that a worker does not know."""

from sqlalchemy import update

from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.jobs.model import Job
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.submission import Submission, submit
from stellwerk_workers.leaving import Leaving


def test_many_of_them_are_left_by_one_client_that_keeps_no_connection(platform: Platform) -> None:
    made = []

    def build() -> Platform:
        made.append(bootstrap(platform.settings, role="worker", pool_size=1))
        return made[-1]

    leaving = Leaving(build)
    jobs = [submit(platform.runtime, Submission("diagnostics.echo", {}, None)) for _ in range(3)]
    with platform.runtime.sessions.begin() as session:
        session.execute(update(Job).values(operation="tomorrow.work"))
    for job_id in jobs:
        leaving.leave([Wakeup(job_id, 0, "tomorrow.work", "")])

    with platform.runtime.sessions() as session:
        assert [session.get_one(Job, job_id).published_at for job_id in jobs] == [None] * 3
    (one,) = made
    assert one.engine.pool.checkedin() == 0  # type: ignore[attr-defined]  # a QueuePool
    one.close()
