"""What tracing carries; a whole trace is in tests/security/test_traces.py."""

from stellwerk.tracing import carrier


def test_without_a_collector_nothing_is_carried() -> None:
    assert carrier() is None
