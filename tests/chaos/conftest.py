"""One whole stack for every test that breaks something in it."""

from collections.abc import Iterator

import pytest

from full_stack import LEASE_S, Client, client_of, full_stack, new_operator, operator_of
from stack_runs import StackRun


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackRun]:
    folder = tmp_path_factory.mktemp("stack")
    (folder / "crash").mkdir()
    with full_stack(
        folder,
        crash_folder=folder / "crash",
        job_lease_s=LEASE_S,
        worker_niceness=0,  # else whatever else runs here may keep workers from renewing that
        job_heartbeat_s=1.5,
        job_republish_after_s=5,
        daily_video_limits='{"free": 10, "pro": 20, "enterprise": 200}',
    ) as running:
        yield running


@pytest.fixture
def client(run: StackRun) -> Client:
    return client_of(run)


@pytest.fixture(scope="session")
def operators_email(run: StackRun) -> str:
    return new_operator(run)


@pytest.fixture
def operator(run: StackRun, operators_email: str) -> Client:
    return operator_of(run, operators_email)
