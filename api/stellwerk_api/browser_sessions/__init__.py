"""Sessions of browsers: a cookie in place of a bearer token."""
