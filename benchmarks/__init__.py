"""`make bench`: the goals of this platform measured on this machine, beside its alternatives."""
