"""What repositories offer, and installing it."""
