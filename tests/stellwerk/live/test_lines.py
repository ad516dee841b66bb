"""Connections of threads, where threads come and go as the web server's do."""

from concurrent.futures import ThreadPoolExecutor
from threading import Thread

from redis import Redis

from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.live.lines import Lines

THREADS = 12
NAMED = (b"CLIENT", b"SETNAME", b"of-a-thread")


def connections(redis: Redis) -> int:
    return sum(client["name"] == "of-a-thread" for client in redis.client_list())


def test_a_thread_that_ends_takes_its_connection_with_it(platform: Platform) -> None:
    redis = platform.live_client.redis
    lines = Lines(redis)
    heard: list[object] = []
    for _ in range(THREADS):
        thread = Thread(target=lambda: heard.extend(lines.ask([NAMED, (b"PING",)])))
        thread.start()
        thread.join()
    assert heard == [b"OK", b"PONG"] * THREADS
    wait_until(lambda: connections(redis) == 0)


def test_a_thread_keeps_its_connection_and_has_it_made_anew_when_it_was_closed(
    platform: Platform,
) -> None:
    redis = platform.live_client.redis
    lines = Lines(redis)
    with ThreadPoolExecutor(1) as thread:

        def ask(*command: bytes) -> object:
            return thread.submit(lines.ask, [command]).result()[0]

        ask(*NAMED)
        number = ask(b"CLIENT", b"ID")
        assert ask(b"CLIENT", b"ID") == number
        redis.client_kill_filter(_id=str(number))
        assert ask(b"PING") == b"PONG"
        assert ask(b"CLIENT", b"ID") != number
