"""Mails: what they say, and the operation that sends them."""
