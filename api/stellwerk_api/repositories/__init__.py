"""Which repositories there are."""
