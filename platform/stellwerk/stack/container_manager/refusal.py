"""What a request is refused with."""

from http import HTTPStatus


class Refused(Exception):
    """A request that Docker never sees; `status` is that of the answer."""

    def __init__(self, reason: str, status: int = HTTPStatus.FORBIDDEN) -> None:
        super().__init__(reason)
        self.status = status
