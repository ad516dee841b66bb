"""What leads the addresses of modules to their primary instances."""
