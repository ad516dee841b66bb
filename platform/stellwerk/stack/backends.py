"""What a stack stands on: what is configured, else embedded servers that are started."""

from functools import partial

from stellwerk.stack.given import require_given
from stellwerk.stack.home import require_space
from stellwerk.stack.plan import Plan
from stellwerk.stack.postgres import (
    make_cluster,
    make_database,
    postgres_answers,
    postgres_program,
)
from stellwerk.stack.postgres_place import find_place
from stellwerk.stack.simulation import switch_program
from stellwerk.stack.stopping import Stop
from stellwerk.stack.supervisor import Supervisor
from stellwerk.stack.valkey import redis_answers, valkey_program

READY_S = 60.0  # crash recovery of a large database takes its time


def start_backends(plan: Plan, supervisor: Supervisor, stop: Stop) -> None:
    """Start what no URL is given for, and wait until both answer.

    Raises StackError where one does not come up, is out of reach, or refuses the password.
    """
    require_given(plan.given, stop)
    start_redis(plan, supervisor)
    start_postgres(plan, supervisor)
    start_switch(plan, supervisor)
    database_url = plan.filled.database_url.get_secret_value()
    database_ready = postgres_answers if plan.has_own_database else make_database
    waits = {
        "Redis": partial(redis_answers, plan.filled.redis()),
        "Postgres": partial(database_ready, database_url),
    }
    for what, ready in waits.items():
        supervisor.wait_for(what, ready, stop=stop, timeout_s=READY_S)


def start_redis(plan: Plan, supervisor: Supervisor) -> None:
    """Start the embedded Valkey unless REDIS_URL is given."""
    if plan.has_own_redis:
        return
    password = plan.home.secrets()["redis_password"]
    supervisor.add(valkey_program(plan.home.path / "valkey", plan.ports["valkey"], password))


def start_postgres(plan: Plan, supervisor: Supervisor) -> None:
    """Make and start the embedded Postgres unless DATABASE_URL is given."""
    if plan.has_own_database:
        return
    place = find_place(plan.home)
    require_space(place.folder)
    make_cluster(place, plan.home.secrets()["database_password"])
    supervisor.add(postgres_program(place, plan.ports["postgres"]))


def start_switch(plan: Plan, supervisor: Supervisor) -> None:
    """Start the simulator of a switch in development, unless a real one is given."""
    if plan.has_simulator:
        password = plan.home.secrets()["esl_password"]
        supervisor.add(switch_program(plan.ports["switch"], password))
