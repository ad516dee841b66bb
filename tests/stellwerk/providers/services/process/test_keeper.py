import os

from stellwerk.providers.services.process.keeper import how_it_ended, restart_delay_s
from stellwerk.providers.services.protocol import RestartPolicy


def test_pauses_double_up_to_fifteen_seconds_and_end_with_the_attempts() -> None:
    policy = RestartPolicy(attempts=7, delay_s=0.5)

    pauses = [restart_delay_s(policy, ends) for ends in range(1, 9)]

    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, None]


def test_an_end_is_told_in_a_sentence() -> None:
    assert how_it_ended(os.EX_USAGE << 8) == "Ended with exit code 64."
    assert how_it_ended(9) == "Was ended by SIGKILL."
