"""Columns that Postgres itself encrypts: pgcrypto's `pgp_sym_encrypt` with AES-256.

    number: Mapped[str] = mapped_column(Encrypted)
    number_hash: Mapped[str] = mapped_column(String(64))  # vault.lookups(number)[0]

What is stored begins with the id of its key, as what the vault seals does: `1a2b3c4d:` and the
ciphertext, another one each time. So it is found by a keyed hash beside it, and by no condition of
its own: `number_hash IN` all of `vault.lookups(...)`, which finds it under every key.

The keys are settings of the connection (`options` of its start-up packet), which Postgres writes
into no log, shows to no other session and keeps in no catalog; SET, and parameters of statements,
are text that logs and pg_stat_activity show. They are random, so nothing stretches them
(`s2k-mode=0`).
"""

from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812  psycopg2 names its class so
from sqlalchemy import ColumnElement, LargeBinary, String, TypeDecorator, func, literal, type_coerce
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import BindParameter

from stellwerk.vault import KEY_ID_LENGTH, Vault

HOW = "cipher-algo=aes256, s2k-mode=0"
NAMESPACE = "stellwerk"  # of the connection's settings
PRESENT = f"{NAMESPACE}.present_key"


# SQLSTATE where a key is not there (or what names it is garbage), and where it is another one.
_UNREADABLE = frozenset({"22021", "39000", "42602", "42704"})


def is_unreadable(exc: DBAPIError) -> bool:
    """Whether a statement read something encrypted that can not be read with the keys given."""
    return getattr(exc.orig, "pgcode", None) in _UNREADABLE


class Encrypted(TypeDecorator[str]):
    """Text that is encrypted in the table and nowhere else."""

    impl = LargeBinary
    cache_ok = True

    def bind_expression(self, bindvalue: BindParameter[Any]) -> ColumnElement[Any]:
        """What is stored of a value."""
        present = func.current_setting(PRESENT)
        key = func.current_setting(func.concat(f"{NAMESPACE}.key_", present))
        text = type_coerce(bindvalue, String)
        sealed = func.pgp_sym_encrypt(text, key, HOW, type_=LargeBinary)
        return func.convert_to(func.concat(present, ":"), "UTF8", type_=LargeBinary).op("||")(
            sealed
        )

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """What is read of it."""
        named = func.convert_from(func.substring(column, 1, KEY_ID_LENGTH), "UTF8", type_=String)
        key = func.current_setting(literal(f"{NAMESPACE}.key_") + named)  # NULL where that is
        sealed = func.substring(column, KEY_ID_LENGTH + 2)
        return func.pgp_sym_decrypt(sealed, key, type_=String)

    def process_result_value(self, value: Any, dialect: Any) -> str | None:
        """Postgres gives text already."""
        del dialect
        return None if value is None else str(value)


class Discreet(Connection):
    """A connection whose repr, which libraries log, does not show what it was started with."""

    def __repr__(self) -> str:
        return f"<connection at {id(self):#x}, closed: {self.closed}>"


def options(vault: Vault) -> str:
    """The vault's keys as libpq's `options`, for the connections of one engine."""
    return "".join(f" -c {name}={value}" for name, value in vault.database_settings().items())
