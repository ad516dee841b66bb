"""How many connections to Postgres a process of each kind may hold; none holds more."""

from stellwerk.settings import Settings

ASIDE = 20  # the dispatcher, migrations, processes that take another's place, people with psql


def of_child() -> int:
    """A worker's child: one for the job that it runs, one for its heartbeat."""
    return 2


def of_threads(slots: int) -> int:
    """A worker of threads: one a slot, one for its heartbeat, one for the finisher of lists."""
    return slots + 2


def needed(settings: Settings) -> int:
    """All processes of one machine together, and some aside."""
    web = settings.web_workers * settings.web_threads
    children = (settings.long_slots + settings.media_slots) * of_child()
    return web + of_threads(settings.short_slots) + children + ASIDE
