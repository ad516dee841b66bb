"""What operators change while the platform runs."""
