"""Workers go on while the tables are expanded for the next release, and contracted after it.

What is contracted is what no worker uses any more, so today's code stands for both: for the
release before on the wider tables, and for the one after while they become narrower. In between
the next release submits too, and what it writes into its new column stays.
"""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Self
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

from embedded import wait_until
from engine import Engine
from stellwerk.bootstrap import Platform
from stellwerk.db.migrate import alembic_config, head
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import unit
from stellwerk.jobs.submission import Submission, accept, submit
from stellwerk.shipped import shipped

SHORT_AND_LONG = ("diagnostics.echo", "diagnostics.effect")
EXPAND = '''
"""What a next release could add."""

import sqlalchemy as sa
from alembic import op

revision = "expand"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("colour", sa.Text(), nullable=True))
    op.add_column("job_steps", sa.Column("host", sa.Text(), server_default="", nullable=False))
    op.create_table("colours", sa.Column("name", sa.Text(), primary_key=True))
    with op.get_context().autocommit_block():
        op.create_index("ix_jobs_colour", "jobs", ["colour"], postgresql_concurrently=True)


def downgrade() -> None:
    op.drop_index("ix_jobs_colour", "jobs")
    op.drop_table("colours")
    op.drop_column("job_steps", "host")
    op.drop_column("jobs", "colour")
'''


@pytest.fixture
def migrations(platform: Platform, tmp_path: Path) -> Iterator[Config]:
    """The shipped migrations and one more; taken back at the end."""
    (tmp_path / "expand.py").write_text(EXPAND.format(head=head()))
    config = alembic_config(platform.settings.database())
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{shipped('migrations')}/versions\n{tmp_path}")
    yield config
    command.downgrade(config, head())


class Stream:
    """Submits without a pause until it is told to stop."""

    def __init__(self, platform: Platform) -> None:
        self.ids: list[UUID] = []
        self._platform = platform
        self._stopping = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def go_on(self) -> None:
        """Until ten more were submitted and the last of them has ended."""
        wanted = len(self.ids) + 10
        wait_until(lambda: len(self.ids) >= wanted)
        last = self.ids[wanted - 1]
        wait_until(lambda: job(self._platform, last).finished_at)

    def _run(self) -> None:
        while not self._stopping.wait(0.02):
            for operation in SHORT_AND_LONG:
                wanted = Submission(operation, {}, owner_id=None)
                self.ids.append(submit(self._platform.runtime, wanted))


def submitted_by_the_next_release(platform: Platform, operation: str) -> UUID:
    """A job with a value in the new column, which old workers have to leave alone."""
    with unit(platform.runtime) as work:
        made = accept(platform.runtime, work, Submission(operation, {}, owner_id=None), {})
        colours = text("UPDATE jobs SET colour = 'red' WHERE id = :id")
        work.session.execute(colours, {"id": made.id})
        return made.id


def colour_of(platform: Platform, job_id: UUID) -> str | None:
    with platform.engine.begin() as connection:
        query = text("SELECT colour FROM jobs WHERE id = :id")
        colour: str | None = connection.scalar(query, {"id": job_id})
    return colour


def tables(platform: Platform) -> list[str]:
    return inspect(platform.engine).get_table_names()


def job(platform: Platform, job_id: UUID) -> Job:
    with platform.runtime.sessions() as session:
        return session.get_one(Job, job_id)


def test_jobs_go_on_while_the_tables_are_expanded_and_contracted(
    platform: Platform, engine: Engine, migrations: Config
) -> None:
    assert "long" in engine.processes
    with Stream(platform) as stream:
        wait_until(lambda: stream.ids and job(platform, stream.ids[0]).finished_at)
        command.upgrade(migrations, "expand")
        coloured = [submitted_by_the_next_release(platform, name) for name in SHORT_AND_LONG]
        stream.go_on()
        wait_until(lambda: all(job(platform, job_id).finished_at for job_id in coloured))
        assert [colour_of(platform, job_id) for job_id in coloured] == ["red", "red"]
        assert "colours" in tables(platform)
        command.downgrade(migrations, head())
        stream.go_on()
        assert "colours" not in tables(platform)
    wait_until(
        lambda: all(job(platform, job_id).finished_at for job_id in stream.ids), timeout_s=60
    )
    ended = [job(platform, job_id) for job_id in (*stream.ids, *coloured)]
    assert {(one.status, one.failures, one.attempt) for one in ended} == {("completed", 0, 1)}
