"""Telling receivers outside of the ends of jobs, after Standard Webhooks 1.0."""
