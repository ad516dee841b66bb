"""Waits and event streams: whatever keeps a connection open lives in this asyncio process.

It holds no authorisation code: every answer is Flask's answer to the same caller.
"""
