"""What people may ask about themselves: everything that is held of them, and its erasure."""
