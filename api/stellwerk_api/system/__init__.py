"""What operators and machines ask: health, version, metrics."""
