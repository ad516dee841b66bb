"""Services as processes of this machine, each watched over by a keeper of its own.

What runs in keepers imports the standard library alone, and of ours what does likewise: there is
one keeper for each service, and none of them should be large.
"""
