"""Telephone calls over HTTP."""
