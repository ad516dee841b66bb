"""The record of who did what: append-only, chained by hashes, personal only while a key stands."""
