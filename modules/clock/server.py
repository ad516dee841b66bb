"""A clock: GET / is the time in UTC, GET /?zone=Europe/Zurich that of a time zone as well."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from serving import Handler, Server, who


class Clock(Handler):
    """Answers the time."""

    def do_GET(self) -> None:
        """The time, or 400 for a zone that there is not."""
        url = urlsplit(self.path)
        if url.path == "/health":
            self.answer_json({"status": "ok"})
            return
        if url.path != "/":
            self.answer_json({"error": "There is nothing here but /."}, 404)
            return
        zone = parse_qs(url.query).get("zone", ["UTC"])[-1]
        try:
            self.answer_json({**now(zone), **who()})
        except (KeyError, ValueError, OSError):  # unknown, no name at all, or a folder of zones
            self.answer_json({"error": "There is no such time zone."}, 400)

    do_HEAD = do_GET


def now(zone: str) -> dict[str, object]:
    """One moment, told twice: in UTC and in the zone."""
    moment = datetime.now(timezone.utc)  # noqa: UP017  Python 3.9 has no other name for it
    local = moment if zone == "UTC" else moment.astimezone(ZoneInfo(zone))
    return {
        "utc": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "unix_ms": round(moment.timestamp() * 1000),
        "zone": zone,
        "local": local.isoformat(timespec="milliseconds"),
    }


if __name__ == "__main__":
    Server(Clock).serve_until_ended()
