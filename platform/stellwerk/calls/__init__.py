"""Calls: originating them, their states, their history."""
