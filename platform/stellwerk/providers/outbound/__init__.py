"""Calls to addresses that users choose, through one guarded client."""
