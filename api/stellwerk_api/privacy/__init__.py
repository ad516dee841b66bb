"""What people may ask about themselves."""
