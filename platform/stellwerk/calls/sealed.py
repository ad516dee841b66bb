"""What calls hold under the vault's keys."""

from stellwerk.db.holdings import EncryptedText

SEALED = (
    EncryptedText("calls", "to_number", hash_column="to_hash"),
    EncryptedText("calls", "first_number", hash_column="first_hash"),
    EncryptedText("calls", "caller_id"),
)
