"""What `stellwerk doctor` examines."""
