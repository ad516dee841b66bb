from benchmarks.plot import memory

PROGRAMS = ("web", "worker_short", "worker_long", "dispatcher", "beat")


def test_the_memory_shown_is_of_every_process_that_the_same_jobs_need() -> None:
    ours = {name: {"pss_mib": 10.0 + number} for number, name in enumerate(PROGRAMS)}
    theirs = {"web": {"pss_mib": 20.0}, "worker": {"pss_mib": 30.0}}
    figures = {"Stellwerk": ours, "Flask + Celery": theirs}

    shown = memory({"memory": {"figures": figures}})

    assert shown == {"Stellwerk": 10.0 + 11.0 + 13.0, "Flask + Celery": 50.0}
