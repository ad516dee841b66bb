"""The declarative base of every table, and the column types they share."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, MetaData, Numeric, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# What `info` of a table may hold: statements that migrations run after creating and dropping it.
AFTER_CREATE = "after_create"
AFTER_DROP = "after_drop"

Timestamp = Annotated[datetime, mapped_column(DateTime(timezone=True))]
CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
Money = Annotated[Decimal, mapped_column(Numeric(14, 6))]  # EUR, exact to a millionth
Json = Annotated[dict[str, Any], mapped_column(JSONB)]
BigId = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Uuid = UUID


class Base(DeclarativeBase):
    """Base of every table; names of constraints are deterministic, so migrations can find them."""

    metadata = MetaData(naming_convention=NAMING)
