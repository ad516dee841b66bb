"""What the realtime process asks: for those who listen, and in its own name."""
