"""The entries, their head, and the keys under which they hold what is personal."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import AFTER_CREATE, AFTER_DROP, Base, CreatedAt, Timestamp, Uuid

_REFUSE = """CREATE FUNCTION audit_entries_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_entries is append-only' USING ERRCODE = 'restrict_violation';
END $$"""
_REFUSE_CHANGES = """CREATE TRIGGER audit_entries_stay
BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_stay()"""


class AuditEntry(Base):
    """Something that somebody did. Rows are appended, and never changed or removed.

    `actor` and `subject` are pseudonyms: ids of AuditSubjectKey, which alone knows the user.
    `details` and `origin` (where it came from) are ciphertext under the keys that `details_key`
    and `origin_key` name. `hash` covers every other column, `previous_hash` included.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_actor", "actor", "sequence"),
        Index("ix_audit_entries_subject", "subject", "sequence"),
        Index("ix_audit_entries_action", "action", "sequence"),
        Index("ix_audit_entries_target", "target", "at", postgresql_where=text("target <> ''")),
        Index("ix_audit_entries_at", "at"),
        {
            "info": {
                AFTER_CREATE: (_REFUSE, _REFUSE_CHANGES),
                AFTER_DROP: ("DROP FUNCTION audit_entries_stay()",),
            }
        },
    )

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[Timestamp]
    action: Mapped[str] = mapped_column(String(40))
    actor_kind: Mapped[str] = mapped_column(String(20))
    actor: Mapped[Uuid | None]
    subject: Mapped[Uuid | None]
    target: Mapped[str] = mapped_column(String(200))
    origin_key: Mapped[Uuid | None]
    origin: Mapped[bytes | None] = mapped_column(LargeBinary)
    details_key: Mapped[Uuid | None]
    details: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The one row that says where the chain ends; `mark` is made with a key of the vault."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
    mark: Mapped[str] = mapped_column(String(64))


class AuditSubjectKey(Base):
    """Whose pseudonym it is, and the key (AES-256, sealed by the vault) of what is theirs.

    Without this row nobody can tell any more who they were, or read what was theirs. Keys that
    are no user's have a `name`: of the installation, and of a month's strangers.
    """

    __tablename__ = "audit_subject_keys"
    __table_args__ = (
        CheckConstraint("(user_id IS NULL) = (name IS NOT NULL)", name="holder"),
        Index("uq_audit_subject_keys_user", "user_id", unique=True),
        Index(
            "uq_audit_subject_keys_name",
            "name",
            unique=True,
            postgresql_where=text("name IS NOT NULL"),
        ),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str | None] = mapped_column(String(40))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
