"""Calls over Telnyx."""
