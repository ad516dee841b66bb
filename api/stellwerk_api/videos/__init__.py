"""Videos and what they cost."""
