"""The job engine: declaration, ledger, life cycle. Knows no domain."""
