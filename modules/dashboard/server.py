"""One page: the time as the clock module tells it, and the instance that served the page."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

from serving import Handler, Server, who

PAGE = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
MARK = "/*INSTANCE*/null"
# The page is one file with its style and script within, and asks nobody but its own origin.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
)


class Dashboard(Handler):
    """The page at every address that a browser may have it under."""

    def do_GET(self) -> None:
        """The page, or `/instance`: who serves it."""
        path = urlsplit(self.path).path
        if path == "/health":
            self.answer_json({"status": "ok"})
        elif path == "/instance":
            self.answer_json(who())
        elif path in ("/", "/index.html"):
            instance = json.dumps(who()).replace("<", "\\u003c")
            page = PAGE.replace(MARK, instance).encode()
            self.answer(page, "text/html; charset=utf-8")
        else:
            self.answer_json({"error": "There is nothing here but the page."}, 404)

    do_HEAD = do_GET

    def end_headers(self) -> None:
        """With what the page may do."""
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Referrer-Policy", "no-referrer")
        super().end_headers()


if __name__ == "__main__":
    Server(Dashboard).serve_until_ended()
