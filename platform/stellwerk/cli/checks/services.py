"""Checks of what the platform talks to while it runs."""

import socket
from collections.abc import Iterator
from contextlib import closing

import redis
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from celeryconfig import QUEUES
from stellwerk.broker.workers import workers_by_queue
from stellwerk.calls.recordings import folder_of, overdue
from stellwerk.calls.standing import standing
from stellwerk.choices import ArtifactStore, MailProvider
from stellwerk.cli.checks.finding import Finding, Grade, Patient, verdict
from stellwerk.db import migrate, sizes
from stellwerk.modules import standing as modules
from stellwerk.providers.choice import choose_providers
from stellwerk.stack.masking import masked
from stellwerk.stack.report import read_report
from stellwerk.stack.simulation import is_simulated

# Settings by which Postgres writes statements or the keys it refuses down: what people typed.
_TALKATIVE = text("""
    SELECT name FROM pg_settings
    WHERE name = 'log_min_error_statement' AND setting NOT IN ('fatal', 'panic')
        OR name = 'log_statement' AND setting IN ('mod', 'all')
        OR name IN ('log_min_duration_statement', 'log_min_duration_sample') AND setting <> '-1'
        OR name = 'log_transaction_sample_rate' AND setting <> '0'
        OR name = 'log_error_verbosity' AND setting <> 'terse'
            AND current_setting('log_min_messages') NOT IN ('log', 'fatal', 'panic')
        OR name = 'auto_explain.log_min_duration' AND setting <> '-1'
    ORDER BY name
""")
START = "Start it: stellwerk up"


def check_stack(who: Patient) -> Iterator[Finding]:
    """The processes of the stack that runs on this home."""
    report = read_report(who.home)
    if report is None or who.holder is None:
        yield Finding("stack", Grade.OFF, f"nothing runs in {who.home.path}", START)
        return
    yield Finding("stack", Grade.OK, f"{report.get('state')}, pid {who.holder.pid}")
    for process in report.get("processes", ()):
        name, restarts = process["name"], process["restarts"]
        remedy = f"Read {who.home.logs / name}.log"
        if process["pid"] is None:
            yield Finding(name, Grade.BROKEN, "waits for its next start", remedy)
        elif restarts:
            yield Finding(name, Grade.WARNING, f"started again {restarts} times", remedy)


def check_postgres(who: Patient) -> Iterator[Finding]:
    """Postgres answers, has our schema, and enough connections."""
    if who.joined is None:
        yield Finding("postgres", Grade.OFF, "embedded, not running", START)
        return
    url = who.joined.database()
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 2})
    try:
        with engine.connect() as connection:
            version = connection.scalar(text("SHOW server_version"))
            slots = int(str(connection.scalar(text("SHOW max_connections"))))
            talk = [row.name for row in connection.execute(_TALKATIVE)]
        yield Finding("postgres", Grade.OK, f"{version} at {masked(url)}")
        yield from _schema(url)
        yield from _logging(talk)
    except SQLAlchemyError as exc:
        reason = str(exc.__cause__ or exc).splitlines()[0]
        remedy = "Check DATABASE_URL, and that the server takes connections from here."
        yield Finding("postgres", Grade.BROKEN, f"{masked(url)}: {reason}", remedy)
        return
    needed = sizes.needed(who.joined)
    remedy = f"Set max_connections to {needed} or more, or use fewer slots."
    message = f"{slots} connections, up to {needed} used"
    yield verdict("connections", message, good=slots >= needed, remedy=remedy)


def check_redis(who: Patient) -> Iterator[Finding]:
    """Redis answers, keeps what it is given, and throws nothing away."""
    if who.joined is None:
        yield Finding("redis", Grade.OFF, "embedded, not running", START)
        return
    url = who.joined.redis()
    client = redis.Redis.from_url(
        url, socket_timeout=2, socket_connect_timeout=2, decode_responses=True
    )
    with closing(client):
        try:
            server = client.info("server")
            yield Finding("redis", Grade.OK, f"{server['redis_version']} at {masked(url)}")
            yield from _redis_settings(client)
        except redis.RedisError as exc:
            remedy = "Check REDIS_URL, and that the server takes connections from here."
            yield Finding("redis", Grade.BROKEN, f"{masked(url)}: {exc}", remedy)


def check_workers(who: Patient) -> Iterator[Finding]:
    """Every queue has a worker that answers over the broker."""
    if who.joined is None:
        yield Finding("workers", Grade.OFF, "not running", START)
        return
    found = workers_by_queue(who.joined.broker())
    for queue in QUEUES:
        workers = ", ".join(sorted(found.get(queue, [])))
        remedy = f"Start one: celery -A stellwerk_workers.app worker -Q {queue}"
        yield verdict(f"queue {queue}", workers or "no worker", good=bool(workers), remedy=remedy)


def check_calls(who: Patient) -> Iterator[Finding]:
    """Calls get through; nothing where none are set up."""
    if who.joined is None:
        return
    engine = create_engine(
        who.joined.database(), poolclass=NullPool, connect_args={"connect_timeout": 2}
    )
    try:
        with engine.connect() as connection:
            found = standing(connection, who.joined)
    except SQLAlchemyError:
        return  # Postgres, or its schema, is a finding of its own
    if found:
        remedy = "Read the telephony process's log; docs/calls.md says how a switch is connected."
        otherwise = Grade.BROKEN if found.is_pretended else Grade.WARNING
        yield verdict(
            "calls", found.message, good=found.is_well, remedy=remedy, otherwise=otherwise
        )


def check_modules(who: Patient) -> Iterator[Finding]:
    """Instances of modules run, and are reached; nothing where none are installed."""
    if who.joined is None:
        return
    engine = create_engine(
        who.joined.database(), poolclass=NullPool, connect_args={"connect_timeout": 2}
    )
    try:
        with engine.connect() as connection:
            present = modules.numbers(connection)
    except SQLAlchemyError:
        return
    providers = choose_providers(who.joined)
    found = modules.standing(present, providers.services.states, providers.gateway)
    if found:
        remedy = "`stellwerk modules instances` names them; docs/modules.md says what to do."
        otherwise = Grade.WARNING
        yield verdict(
            "modules", found.message, good=found.is_well, remedy=remedy, otherwise=otherwise
        )


def check_recordings(who: Patient) -> Iterator[Finding]:
    """Plain recordings go once nobody needs them; nothing where no calls were recorded here."""
    if who.joined is None:
        return
    folder = folder_of(who.joined)
    remedy = f"Let the workers' user read {folder} and delete in it; their logs name the files."
    engine = create_engine(
        who.joined.database(), poolclass=NullPool, connect_args={"connect_timeout": 2}
    )
    try:
        with Session(engine) as session:
            left = overdue(session, who.joined)
    except SQLAlchemyError:
        return
    except OSError as exc:
        message = f"{folder}: {exc.strerror or exc}"
        yield Finding("recordings", Grade.WARNING, message, remedy)
        return
    if left:
        message = f"{left} plain ones should have been removed from {folder}"
        yield Finding("recordings", Grade.WARNING, message, remedy)


def check_artifacts(who: Patient) -> Iterator[Finding]:
    """An artifact can be written, read and removed."""
    chosen = who.joined or who.given
    if who.joined is None and chosen.artifact_store is ArtifactStore.LOCAL:
        yield Finding("artifacts", Grade.OFF, f"local, {chosen.artifacts_path}")
        return
    choose_providers(chosen).artifacts.check()
    local = chosen.artifact_store is ArtifactStore.LOCAL
    place = str(chosen.artifacts_path) if local else f"S3 bucket {chosen.s3_bucket}"
    hint = " (workers on other machines need S3)" if local else ""
    yield Finding("artifacts", Grade.OK, f"{place}{hint}")


def check_mail(who: Patient) -> Iterator[Finding]:
    """The mail server takes our connection, encrypts it, and lets us sign in."""
    chosen = who.joined or who.given
    if chosen.mail_provider is MailProvider.LOCAL:
        remedy = "Set STELLWERK_MAIL_PROVIDER=smtp, SMTP_HOST and MAIL_FROM to send them."
        yield Finding("mail", Grade.OFF, f"kept in {chosen.mails_path}", remedy)
        return
    choose_providers(chosen).mail.check()
    yield Finding("mail", Grade.OK, f"{chosen.smtp_host}, from {chosen.mail_from}")


def check_switch(who: Patient) -> Iterator[Finding]:
    """The switch that calls are dialled over takes connections; a simulator says that it is one."""
    chosen = who.joined or who.given
    if not chosen.esl_host:
        remedy = "Set STELLWERK_ESL_HOST, or another STELLWERK_CALL_PROVIDER, to dial."
        yield Finding("switch", Grade.OFF, "none: nothing is dialled", remedy)
        return
    address = f"{chosen.esl_host}:{chosen.esl_port}"
    label = "simulator, calls nobody, at" if is_simulated(who.given) else "at"
    remedy = "Check STELLWERK_ESL_HOST and STELLWERK_ESL_PORT, and that the switch lets us in."
    try:
        socket.create_connection((chosen.esl_host, chosen.esl_port), timeout=2).close()
    except OSError as exc:
        yield Finding("switch", Grade.BROKEN, f"{label} {address}: {exc.strerror or exc}", remedy)
        return
    yield Finding("switch", Grade.OK, f"{label} {address}")


def _schema(url: str) -> Iterator[Finding]:
    current, head = migrate.current(url), migrate.head()
    message = f"at {current or 'nothing'}, newest is {head or 'nothing'}"
    yield verdict("schema", message, good=current == head, remedy="stellwerk db upgrade")


def _logging(talk: list[str]) -> Iterator[Finding]:
    message = f"statements are written down: {', '.join(talk)}" if talk else "no statements"
    remedy = (
        "log_min_error_statement = panic, log_error_verbosity = terse, the others off: statements "
        "and details of errors hold people's data"
    )
    yield verdict("postgres logs", message, good=not talk, remedy=remedy, otherwise=Grade.WARNING)


def _redis_settings(client: redis.Redis) -> Iterator[Finding]:
    persistence = client.info("persistence")
    kept = bool(persistence["aof_enabled"])
    message = "append-only file is on" if kept else "append-only file is off"
    remedy = "appendonly yes, or wake-ups are sent again after each restart (no job is lost)"
    yield verdict("redis persistence", message, good=kept, remedy=remedy, otherwise=Grade.WARNING)
    policy = client.info("memory")["maxmemory_policy"]
    remedy = "maxmemory-policy noeviction, or messages may be thrown away"
    yield verdict("redis eviction", policy, good=policy == "noeviction", remedy=remedy)
