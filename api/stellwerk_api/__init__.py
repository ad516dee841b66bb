"""The thin HTTP API and the realtime process."""
