"""Accounts of other services that users connected, and the tokens by which jobs use them."""
