"""All of Redis: live status and events. The only owner of key names."""
