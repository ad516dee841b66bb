"""What tables hold under the vault's keys: how much under which, and its move to the present one.

Each domain names its own in the `SEALED` of a module `sealed.py`; `bootstrap.sealed` finds them.
"""

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from stellwerk.db.encrypted import HOW
from stellwerk.vault import KEY_ID_LENGTH, MARK, Vault

_PATIENTLY = text("SET LOCAL statement_timeout = '30min'")  # it may read all of a large table
_ID = f"[0-9a-f]{{{KEY_ID_LENGTH}}}"
_TOKEN = re.compile(rf'("{re.escape(MARK)}": ?")({_ID}:[^"]+)"')


@dataclass(frozen=True, slots=True)
class Page:
    """Rows that were moved, and the key of the last one; None: there was none to move."""

    moved: int
    last: tuple[Any, ...] | None


class Holding(Protocol):
    """Values that are under keys of the vault."""

    @property
    def name(self) -> str:
        """`table.column`."""

    def counts(self, session: Session, vault: Vault) -> Counter[str]:
        """Values by the id of the key that they are under."""

    def move(
        self, session: Session, vault: Vault, after: tuple[Any, ...] | None, limit: int
    ) -> Page:
        """Put the next rows after this one under the present key, within the transaction.

        Rows that somebody else holds are passed over: nobody waits for this.
        """


@dataclass(frozen=True, slots=True)
class Rows(ABC):
    """One column, in rows told apart by `key`; `where` may leave out those that hold nothing."""

    table: str
    column: str
    key: tuple[str, ...] = ("id",)
    where: str = "true"

    @property
    def name(self) -> str:
        """`table.column`."""
        return f"{self.table}.{self.column}"

    def counts(self, session: Session, vault: Vault) -> Counter[str]:
        """Values by the id of the key that they are under."""
        del vault  # they say so themselves
        session.execute(_PATIENTLY)
        rows = session.execute(text(self._counting()))
        return Counter({row[0]: row[1] for row in rows})

    def move(
        self, session: Session, vault: Vault, after: tuple[Any, ...] | None, limit: int
    ) -> Page:
        """Put the next rows after this one under the present key, within the transaction.

        Rows that somebody else holds are passed over: nobody waits for this.
        """
        session.execute(_PATIENTLY)
        values = {"present": vault.present_key, "limit": limit}
        for place, value in enumerate(after or ()):
            values[f"after_{place}"] = value
        rows = session.execute(text(self._choosing(after)), values).mappings().all()
        for row in rows:
            self._move_one(session, vault, row)
        last = tuple(rows[-1][name] for name in self.key) if rows else None
        return Page(len(rows), last)

    def _choosing(self, after: tuple[Any, ...] | None) -> str:
        keys = ", ".join(self.key)
        places = ", ".join(f":after_{place}" for place in range(len(self.key)))
        beyond = f"AND ({keys}) > ({places})" if after else ""
        return f"""
            SELECT {keys}, {self.column} AS held FROM {self.table}
            WHERE {self.where} AND {self.column} IS NOT NULL AND {self._is_stale()} {beyond}
            ORDER BY {keys} LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
        """  # noqa: S608  names of tables and columns, declared in code

    def _matching(self) -> str:
        return " AND ".join(f"{name} = :key_{name}" for name in self.key)

    def _key_of(self, row: RowMapping) -> dict[str, Any]:
        return {f"key_{name}": row[name] for name in self.key}

    @abstractmethod
    def _counting(self) -> str:
        """SQL that gives ids of keys, and how many values are under each."""

    @abstractmethod
    def _is_stale(self) -> str:
        """SQL that tells whether a row's value is under another key than `:present`."""

    @abstractmethod
    def _move_one(self, session: Session, vault: Vault, row: RowMapping) -> None:
        """Put one row's value under the present key."""


@dataclass(frozen=True, slots=True)
class _Named(Rows):
    """Bytes that begin with the id of their key."""

    def _named(self) -> str:
        return f"convert_from(substring({self.column} FROM 1 FOR {KEY_ID_LENGTH}), 'UTF8')"

    def _counting(self) -> str:
        return f"""
            SELECT {self._named()}, count(*) FROM {self.table}
            WHERE {self.where} AND {self.column} IS NOT NULL GROUP BY 1
        """  # noqa: S608  as above

    def _is_stale(self) -> str:
        return f"{self._named()} <> :present"


@dataclass(frozen=True, slots=True)
class SealedBytes(_Named):
    """What `Vault.seal` made."""

    def _move_one(self, session: Session, vault: Vault, row: RowMapping) -> None:
        values = {"held": vault.reseal(bytes(row["held"])), **self._key_of(row)}
        sql = f"UPDATE {self.table} SET {self.column} = :held WHERE {self._matching()}"  # noqa: S608  as above
        session.execute(text(sql), values)


@dataclass(frozen=True, slots=True)
class EncryptedText(_Named):
    """A column of `encrypted.Encrypted`; Postgres moves it, so that nobody else sees it.

    `hash_column` holds its keyed hash (`Vault.lookups`), which moves along.
    """

    hash_column: str | None = None

    def _move_one(self, session: Session, vault: Vault, row: RowMapping) -> None:
        present, column = vault.present_key, self.column
        opened = f"""
            pgp_sym_decrypt(substring({column} FROM {KEY_ID_LENGTH + 2}),
                current_setting('stellwerk.key_' || {self._named()}))
        """
        moved = f"""{column} = convert_to('{present}:', 'UTF8') || pgp_sym_encrypt({opened},
            current_setting('stellwerk.key_{present}'), '{HOW}')"""
        if self.hash_column:
            moved += f""", {self.hash_column} = encode(hmac(convert_to({opened}, 'UTF8'),
                decode(current_setting('stellwerk.lookup_{present}'), 'hex'), 'sha256'), 'hex')"""
        sql = f"UPDATE {self.table} SET {moved} WHERE {self._matching()}"  # noqa: S608  as above
        session.execute(text(sql), self._key_of(row))


@dataclass(frozen=True, slots=True)
class SealedJson(Rows):
    """JSON with the vault's tokens anywhere in it, each in an object's member MARK."""

    def _counting(self) -> str:
        return f"""
            SELECT found[1], count(*) FROM {self.table},
                regexp_matches({self.column}::text, {self._pattern()}, 'g') AS found
            WHERE {self.where} GROUP BY 1
        """  # noqa: S608  as above

    def _pattern(self) -> str:
        return f'\'"\\{MARK}": "({_ID})\\:\''

    def _is_stale(self) -> str:
        return f"{self.column}::text ~ ('\"\\{MARK}\": \"(?!' || :present || '\\:)')"

    def _move_one(self, session: Session, vault: Vault, row: RowMapping) -> None:
        def resealed(found: re.Match[str]) -> str:
            return f'{found[1]}{vault.reseal(found[2].encode()).decode()}"'

        moved = json.loads(_TOKEN.sub(resealed, json.dumps(row["held"])))
        sql = f"UPDATE {self.table} SET {self.column} = :held WHERE {self._matching()}"  # noqa: S608  as above
        statement = text(sql).bindparams(bindparam("held", type_=JSONB))
        session.execute(statement, {"held": moved, **self._key_of(row)})


def total(counts: Mapping[str, Counter[str]]) -> Counter[str]:
    """Values of all holdings by the id of their key."""
    found: Counter[str] = Counter()
    for one in counts.values():
        found.update(one)
    return found


def counted(session: Session, vault: Vault, holdings: Sequence[Holding]) -> dict[str, Counter[str]]:
    """Values by the id of their key, for each holding by its name."""
    return {holding.name: holding.counts(session, vault) for holding in holdings}
