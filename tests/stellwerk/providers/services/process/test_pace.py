from stellwerk.providers.services.process.pace import BURST_S, BYTES_PER_S, Pace


def test_who_was_silent_may_say_much_at_once() -> None:
    pace = Pace()

    pace.count(int(BURST_S * BYTES_PER_S), now_s=1000.0)

    assert pace.pause_s(1000.0) == 0.0


def test_who_never_pauses_is_heard_as_fast_as_it_may_talk() -> None:
    pace = Pace()
    now_s, said = 1000.0, 0
    while now_s < 1020.0:
        pace.count(64 * 1024, now_s)
        said += 64 * 1024
        now_s += pace.pause_s(now_s) or 0.0001

    assert said / BYTES_PER_S < BURST_S + 20.1


def test_a_pause_is_as_long_as_what_was_said_beyond_the_burst_takes() -> None:
    pace = Pace()
    pace.count(int((BURST_S + 2) * BYTES_PER_S), now_s=1000.0)

    assert pace.pause_s(1000.5) == 1.5
