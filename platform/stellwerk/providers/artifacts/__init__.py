"""Where the files that jobs make are stored."""
