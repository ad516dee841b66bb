"""Installed modules, their instances, and operations on them."""
