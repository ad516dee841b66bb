"""The platform's own upkeep."""
