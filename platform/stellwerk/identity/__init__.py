"""People, sessions, API keys and permissions."""
