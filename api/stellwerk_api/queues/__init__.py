"""Queues, for operators."""
