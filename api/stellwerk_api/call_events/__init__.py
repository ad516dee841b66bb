"""What carriers tell of calls."""
