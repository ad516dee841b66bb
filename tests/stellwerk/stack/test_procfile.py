"""The shipped Procfile, as programs."""

import signal

from stellwerk.shipped import shipped
from stellwerk.stack.procfile import programs_of


def test_the_gateway_alone_is_ended_without_waiting_for_its_sockets() -> None:
    programs = programs_of(shipped("Procfile"), {})
    quick = [program.name for program in programs if program.stop_signal is signal.SIGQUIT]
    assert quick == ["gateway"]
