"""Tells whoever listens how instances are, once that was written down."""

from collections.abc import Collection

from stellwerk.jobs.runtime import Runtime
from stellwerk.modules import queries, watching
from stellwerk.modules.queries import InstanceFilter

TOPIC = "modules"
CHANGED, REMOVED = "changed", "removed"


def tell(runtime: Runtime, *module_names: str, removed: Collection[str] = ()) -> None:
    """How the instances of these modules are now; `removed`: ids of some that are gone.

    Lists show the same from then on: what the runtime says, or, where it does not answer, what is
    written down. Nobody is told where Redis does not answer: listeners read the whole list again
    after a gap.
    """
    seen = watching.look(runtime)
    for name in module_names:
        mine = InstanceFilter(module_name=name)
        for document in queries.instances_as_seen(runtime, mine, seen):
            runtime.news.tell(TOPIC, CHANGED, document)
        for instance_id in removed:
            gone = {"module_name": name, "instance_id": instance_id}
            runtime.news.tell(TOPIC, REMOVED, gone)
