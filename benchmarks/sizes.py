"""How much is measured: everything, or just enough to see that the measuring works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts, and durations in seconds."""

    everybody: bool = True  # else: only what runs in our own environment
    rounds: int = 5  # ours and the other, in turns
    round_s: float = 4.0
    warm_up_s: float = 1.0  # before each round of polls
    web_workers: int = 2
    paced_s: float = 10.0
    bulk_requests: int = 20  # of 1,000 jobs each
    drain_rounds: int = 3
    drain_batch_jobs: int = 20_000
    drain_single_jobs: int = 5_000
    drain_rival_jobs: int = 4_000
    drain_forking_jobs: int = 600  # RQ forks a process for each
    finish_jobs: int = 200
    waiting: tuple[int, ...] = (10_000, 100_000)
    history: int = 1_000_000
    growth_samples: int = 200
    fairness_jobs: int = 10_000
    sockets: int = 10_000
    edge_s: float = 20.0
    edge_users: int = 500
    edge_per_s: int = 1_000
    generations: int = 100
    generations_s: float = 15.0
    calls_s: float = 30.0
    calls_at_once: int = 200
    sign_ins: int = 100
    records: int = 300  # by each thread


FULL = Sizes()
QUICK = Sizes(
    everybody=False,
    rounds=1,
    round_s=0.2,
    warm_up_s=0.2,
    web_workers=1,
    paced_s=1.0,
    bulk_requests=2,
    drain_rounds=1,
    drain_batch_jobs=300,
    drain_single_jobs=100,
    drain_rival_jobs=100,
    drain_forking_jobs=20,
    finish_jobs=10,
    waiting=(1_000,),
    history=2_000,
    growth_samples=10,
    fairness_jobs=300,
    sockets=100,
    edge_s=3.0,
    edge_users=20,
    edge_per_s=50,
    generations=5,
    generations_s=2.0,
    calls_s=1.0,
    calls_at_once=10,
    sign_ins=5,
    records=10,
)
