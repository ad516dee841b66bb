"""Channels, videos and what they cost."""
