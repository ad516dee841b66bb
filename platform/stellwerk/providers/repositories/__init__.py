"""Repositories of modules: their indices, their archives, and what is checked about both."""
