"""Repositories of modules, what is installed from them, and the instances of it.

Services and folders are named after an instance, so that what nobody wrote down can be told from
what somebody did, whatever process died in between.
"""

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import Base, CreatedAt, Json, Timestamp, Uuid
from stellwerk.modules.states import InstanceStatus, Wanted

_STATUSES = ", ".join(f"'{status}'" for status in InstanceStatus)
_WANTED = ", ".join(f"'{wanted}'" for wanted in Wanted)


class ModuleRepository(Base):
    """A folder or an HTTPS address with an index of modules, and what there was in it."""

    __tablename__ = "module_repositories"
    __table_args__ = (CheckConstraint("kind IN ('file', 'https')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    kind: Mapped[str] = mapped_column(String(5))
    location: Mapped[str] = mapped_column(String(2000))  # a folder's path, or the index's folder
    public_key: Mapped[str | None] = mapped_column(String(44))  # Ed25519, base64
    modules: Mapped[int] = mapped_column(server_default="0")  # as last read and checked
    versions: Mapped[int] = mapped_column(server_default="0")  # of all of these
    categories: Mapped[Json] = mapped_column(server_default="{}")  # how many modules each has
    etag: Mapped[str | None] = mapped_column(String(200))
    published_at: Mapped[Timestamp | None]  # as the index says, where it is signed
    synced_at: Mapped[Timestamp | None]  # when that was read
    tried_at: Mapped[Timestamp | None]
    error: Mapped[str | None] = mapped_column(Text)  # of the last try; null: it went well
    created_at: Mapped[CreatedAt]


class ModuleOffer(Base):
    """A version of a module that a repository has, as its index was last read and checked."""

    __tablename__ = "module_offers"
    __table_args__ = (
        Index("ix_module_offers_name", "name"),
        Index("ix_module_offers_place", "place", postgresql_where=text("newer = 0")),
    )

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("module_repositories.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[str] = mapped_column(String(100), primary_key=True)
    place: Mapped[str] = mapped_column(String(100, collation="C"))  # among all: see `place_of`
    newer: Mapped[int]  # versions of the module in the repository: 0 for the newest
    category: Mapped[str] = mapped_column(String(100))
    words: Mapped[str] = mapped_column(Text)  # that it is found by, in small letters
    entry: Mapped[Json]


class Module(Base):
    """An installed module. Its primary instance is one of its own: the database sees to that."""

    __tablename__ = "modules"
    __table_args__ = (
        ForeignKeyConstraint(
            ["name", "primary_instance_id"],
            ["module_instances.module_name", "module_instances.id"],
            name="fk_modules_primary_instance",
            deferrable=True,
            initially="DEFERRED",
            use_alter=True,
        ),
    )

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    primary_instance_id: Mapped[str] = mapped_column(String(32))
    repository_id: Mapped[int | None] = mapped_column(
        ForeignKey("module_repositories.id", ondelete="SET NULL")
    )
    version: Mapped[str] = mapped_column(String(100))
    entry: Mapped[Json]  # of the index: what this version is, and how it runs
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[Timestamp] = mapped_column(server_default=func.now(), onupdate=func.now())


class ModuleInstance(Base):
    """One running, or stopped, copy of a module: one service at a time."""

    __tablename__ = "module_instances"
    __table_args__ = (
        CheckConstraint(f"status IN ({_STATUSES})", name="status"),
        CheckConstraint(f"wanted IN ({_WANTED})", name="wanted"),
        CheckConstraint("id ~ '^[0-9a-f]{32}$'", name="id"),
        UniqueConstraint("module_name", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    module_name: Mapped[str] = mapped_column(
        ForeignKey("modules.name", deferrable=True, initially="DEFERRED")
    )
    version: Mapped[str] = mapped_column(String(100))
    entry: Mapped[Json]
    generation: Mapped[int] = mapped_column(server_default="1")  # of its service
    service: Mapped[str] = mapped_column(String(100), unique=True)
    address: Mapped[str] = mapped_column(String(200))  # host:port, where the gateway reaches it
    path: Mapped[str] = mapped_column(String(1000))  # holds its releases and its data
    release: Mapped[str] = mapped_column(String(200))  # folder of the version, below `path`
    environment: Mapped[Json] = mapped_column(server_default="{}")  # its own variables
    secrets: Mapped[bytes | None] = mapped_column(LargeBinary)  # the same, sealed JSON
    wanted: Mapped[str] = mapped_column(String(10), server_default="running")
    status: Mapped[str] = mapped_column(String(10), server_default="installed")
    health: Mapped[str] = mapped_column(String(10), server_default="unknown")
    message: Mapped[str] = mapped_column(Text, server_default="")  # why it is in error
    last_log: Mapped[str] = mapped_column(Text, server_default="")  # its last lines then
    restarts: Mapped[int] = mapped_column(server_default="0")
    revivals: Mapped[int] = mapped_column(server_default="0")  # in a row, where it was gone
    seen_at: Mapped[Timestamp | None]  # when its service was last looked at
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[Timestamp] = mapped_column(server_default=func.now(), onupdate=func.now())


class ModuleSlot(Base):
    """Two ports and a user that an instance has, from before it is made until after it is gone."""

    __tablename__ = "module_slots"

    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    instance_id: Mapped[str] = mapped_column(String(32), unique=True)
    module_name: Mapped[str] = mapped_column(String(40))
    claimed_at: Mapped[CreatedAt]


class ModuleOperation(Base):
    """A job about a module: one at a time is unfinished."""

    __tablename__ = "module_operations"
    __table_args__ = (
        Index(
            "uq_module_operations_active",
            "module_name",
            unique=True,
            postgresql_where=text("is_active"),
        ),
    )

    job_id: Mapped[Uuid] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    module_name: Mapped[str] = mapped_column(String(40))
    is_active: Mapped[bool] = mapped_column(server_default="true")
    secrets: Mapped[bytes | None] = mapped_column(LargeBinary)  # see given_secrets.py
