"""Lines of a service's log, as they may be shown, sent as JSON, and kept in Postgres."""

LINE_BYTES = 8 * 1024
NUL, REPLACEMENT = "\0", "\N{REPLACEMENT CHARACTER}"


def line_of(said: bytes) -> str:
    """What was said, cut to 8 KiB; what is no text, or a NUL, which Postgres refuses, replaced."""
    return said[:LINE_BYTES].decode(errors="replace").replace(NUL, REPLACEMENT)
