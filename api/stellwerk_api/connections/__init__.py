"""Connecting accounts of other services, and signing in with one."""
