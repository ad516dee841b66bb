"""Every change of the configuration; the newest of an entry is in force."""

from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import Base, CreatedAt


class ConfigurationChange(Base):
    """One entry's value since then; without one it went back to its default.

    `revision` counts the changes of the whole configuration; several entries changed at once
    share one.
    """

    __tablename__ = "configuration_changes"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    changed_at: Mapped[CreatedAt]
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
