"""Modules: repositories of them, their installation, and their instances as services."""
