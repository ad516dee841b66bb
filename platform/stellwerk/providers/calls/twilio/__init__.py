"""Calls over Twilio."""
