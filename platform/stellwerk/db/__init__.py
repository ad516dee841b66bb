"""Postgres: engine, base, sessions and column types."""
