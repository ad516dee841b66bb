"""Engines and sessions for one Postgres."""

import re
import select
from functools import partial
from typing import Any

import orjson
from sqlalchemy import Dialect, Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from stellwerk.db.encrypted import Discreet, options
from stellwerk.masking import HIDDEN
from stellwerk.vault import Vault

Sessions = sessionmaker[Session]

_WRONG_DATA = "22"
_QUOTED = re.compile('".*"', re.DOTALL)  # up to the last quote: values may hold some
_VAULT = "vault"  # in a session's `info`

# deadlock, serialization, lock_not_available
_CONTENDED = frozenset({"40P01", "40001", "55P03"})
_STUCK = _CONTENDED | {"57014"}  # query_canceled, here by statement_timeout
_PASSING = _STUCK | {"53100"}  # disk_full
# admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections,
# idle_in_transaction_session_timeout, read_only_transaction (a standby)
_GOING = frozenset({"57P01", "57P02", "57P03", "53300", "25P03", "25006"})


def build_engine(url: str, *, pool_size: int, role: str, vault: Vault | None = None) -> Engine:
    """An engine whose pool never grows or shrinks (psycopg2 reconnects are dear).

    Connections name their `role` in pg_stat_activity, speak UTC, give up connecting after 2 s,
    and are tested before use, so that a restarted Postgres fails no request. With a `vault` they
    read and write encrypted columns (encrypted.py). Errors do not tell statements' values.
    """
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,  # in turns, each one's backend would find its caches cold
        hide_parameters=True,  # in errors, which logs of processes and of jobs may show
        pool_timeout=5,
        json_serializer=to_json,
        json_deserializer=orjson.loads,
        connect_args={
            "application_name": f"stellwerk-{role}",
            "connection_factory": Discreet,
            "connect_timeout": 2,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            # GMT, since Postgres knows UTC only where the system has tzdata
            "options": "-c timezone=GMT -c statement_timeout=30s -c lock_timeout=5s"
            " -c idle_in_transaction_session_timeout=15s" + (options(vault) if vault else ""),
        },
    )
    event.listen(engine, "checkout", partial(_refuse_dead, engine.dialect))
    event.listen(engine, "handle_error", _tell_without_values)
    return engine


def build_sessions(engine: Engine, vault: Vault) -> Sessions:
    """Sessions that keep their objects readable after commit, and know the vault."""
    return sessionmaker(engine, expire_on_commit=False, info={_VAULT: vault})


def vault_of(session: Session) -> Vault:
    """What seals secrets in the session's database."""
    vault: Vault = session.info[_VAULT]
    return vault


def is_outage(exc: BaseException) -> bool:
    """Whether Postgres was gone or going for everybody, rather than refusing what it was asked."""
    if isinstance(exc, PoolTimeout):
        return True
    if not isinstance(exc, DBAPIError):
        return False
    if isinstance(exc, OperationalError | InterfaceError) and _code(exc) is None:
        return True
    return exc.connection_invalidated or _code(exc) in _GOING


def is_contended(exc: BaseException) -> bool:
    """Whether another transaction was in the way of this one."""
    return isinstance(exc, DBAPIError) and _code(exc) in _CONTENDED


def is_stuck(exc: BaseException) -> bool:
    """Whether one statement took too long, by itself or behind another: perhaps it always will."""
    return isinstance(exc, DBAPIError) and _code(exc) in _STUCK


def may_pass(exc: BaseException) -> bool:
    """Whether the same transaction may work a moment later: outages, locks, full disks.

    Whoever has others to look after, or would try without end, asks `is_outage` or `is_stuck`.
    """
    return is_outage(exc) or (isinstance(exc, DBAPIError) and _code(exc) in _PASSING)


def _code(exc: DBAPIError) -> str | None:
    code: str | None = getattr(exc.orig, "pgcode", None)
    return code


def forget_values(error: BaseException) -> str:
    """Leave of a driver's error what Postgres says, which is returned; empty where it is silent.

    libpq adds the line of the statement that is wrong, and the key that is there already: values.
    What Postgres says of wrong data (SQLSTATE class 22) quotes them.
    """
    said: str | None = getattr(getattr(error, "diag", None), "message_primary", None)
    if said is None:
        return ""
    if str(getattr(error, "pgcode", "")).startswith(_WRONG_DATA):
        said = _QUOTED.sub(f'"{HIDDEN}"', said)
    error.args = (said,)
    return said


def _tell_without_values(context: ExceptionContext) -> None:
    error = context.original_exception
    said = forget_values(error)
    if said and context.sqlalchemy_exception:
        context.sqlalchemy_exception.args = (f"({type(error).__name__}) {said}",)


def _refuse_dead(dialect: Dialect, connection: Any, *_: Any) -> None:
    """A server that ends a connection says so on its socket: while that is silent, no ping is due.

    Raises InvalidatePoolError, upon which the pool connects anew.
    """
    try:
        if _has_heard(connection):
            dialect.do_ping(connection)
    except connection.Error as exc:
        raise InvalidatePoolError from exc


def _has_heard(connection: Any) -> bool:
    """Whether something came in that nobody asked for: a farewell, or the end of the stream."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def to_json(value: Any) -> str:
    """JSON as it is stored; raises TypeError for what JSON cannot hold."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
