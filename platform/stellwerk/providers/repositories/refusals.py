"""What is refused about repositories and archives, each with a code, a reason and its place."""

from stellwerk.errors import ErrorCode, ProviderRejected

LONGEST_PLACE = 200  # characters of a name that somebody else chose


def archive_refused(reason: str, message: str, member: str | None = None) -> ProviderRejected:
    """An archive that is not unpacked; `reason` is one word for programs."""
    details = {"reason": reason}
    if member is not None:
        details["member"] = shown(member)
        message = f"{message}: {shown(member)}"
    return ProviderRejected(
        f"The archive is refused: {message}.",
        code=ErrorCode.MODULE_ARCHIVE_REFUSED,
        details=details,
    )


def repository_damaged(reason: str, message: str) -> ProviderRejected:
    """A repository whose index is of no use until its owner mends it."""
    return ProviderRejected(
        f"The repository is damaged: {message}.",
        code=ErrorCode.REPOSITORY_DAMAGED,
        details={"reason": reason},
    )


def checksum_wrong(reason: str, message: str) -> ProviderRejected:
    """An archive that is not the one its index names."""
    return ProviderRejected(
        f"The archive is not the one of the index: {message}.",
        code=ErrorCode.MODULE_CHECKSUM_WRONG,
        details={"reason": reason},
    )


def signature_wrong(reason: str, message: str) -> ProviderRejected:
    """An index or an archive that the owner of the repository's key did not sign."""
    return ProviderRejected(
        f"{message}.", code=ErrorCode.MODULE_SIGNATURE_WRONG, details={"reason": reason}
    )


def shown(text: str) -> str:
    """A foreign name, cut, and without what no terminal or database should be sent."""
    return ascii(text)[1:-1][:LONGEST_PLACE]
