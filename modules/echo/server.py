"""Answers every request with what it got, and with who answers."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import parse_qs, urlsplit

from serving import Handler, Server, who


class Echo(Handler):
    """Any method, any path."""

    def answer_any(self) -> None:
        """Text is shown as text, all other bodies in base64."""
        if self.path == "/health":
            self.answer_json({"status": "ok"})
            return
        body = self.body()
        if body is None:
            self.answer_json({"error": "A body has at most 1 MiB, and a length."}, 413)
            return
        url = urlsplit(self.path)
        told = {
            "method": self.command,
            "path": url.path,
            "query": parse_qs(url.query, keep_blank_values=True),
            "headers": {name.lower(): value for name, value in self.headers.items()},
            **shown(body),
        }
        self.answer_json({**who(), **told})

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer_any


def shown(body: bytes) -> dict[str, str]:
    """The body as `body`, or as `body_base64` where it is no text."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": b64encode(body).decode()}


if __name__ == "__main__":
    Server(Echo).serve_until_ended()
