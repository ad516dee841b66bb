"""A simulator of FreeSWITCH's event socket, for development and tests: it calls nobody.

It behaves as the recordings of a real switch in tests/data/freeswitch do, down to their traps. The
last four digits of a dialled number name what becomes of the call; see docs/switch_simulator.md.
"""
