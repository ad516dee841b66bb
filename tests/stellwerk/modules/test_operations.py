"""Operations on modules are done by those workers that may."""

from stellwerk.modules.operations import OPERATIONS


def test_what_reads_or_changes_services_is_done_by_workers_of_long() -> None:
    elsewhere = {one.name for one in OPERATIONS if one.queue != "long"}
    assert elsewhere == {"modules.sync"}
