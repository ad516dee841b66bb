"""The telephony process: it alone speaks to the switch, for all calls at once, in one event loop.

Several may run; the one that holds the lease of the trunk dials, the others stand by.
"""
