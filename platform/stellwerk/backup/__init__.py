"""Everything that has to be saved of a platform, in one file, and back."""
