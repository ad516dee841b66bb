from pathlib import Path

from stellwerk.providers.services.process.cgroup import (
    make_group,
    ran_out_of_memory,
    remove_group,
)
from stellwerk.providers.services.protocol import Limits

LIMITS = Limits(memory_bytes=64 * 1024**2, cpus=1.5, processes=32)


def test_a_group_is_given_its_share_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")

    group = make_group("stellwerk_clock", LIMITS, tmp_path)

    assert group == tmp_path / "stellwerk-modules" / "stellwerk_clock"
    assert {path.name: path.read_text() for path in group.iterdir()} == {
        "cpu.max": "150000 100000",
        "memory.max": "67108864",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "64",
    }
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_a_group_has_the_limits_that_the_kernel_knows(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu\n")

    group = make_group("stellwerk_clock", LIMITS, tmp_path)

    assert group
    assert [path.name for path in group.iterdir()] == ["cpu.max"]


def test_there_is_no_group_where_the_kernel_has_no_controller(tmp_path: Path) -> None:
    assert make_group("stellwerk_clock", LIMITS, tmp_path) is None
    (tmp_path / "cgroup.controllers").write_text("cpuset io\n")
    assert make_group("stellwerk_clock", LIMITS, tmp_path) is None
    assert not (tmp_path / "stellwerk-modules").exists()
    remove_group(None)


def test_a_group_that_ran_out_of_memory_says_so(tmp_path: Path) -> None:
    group = tmp_path / "stellwerk-modules" / "stellwerk_clock"
    group.mkdir(parents=True)
    assert not ran_out_of_memory("stellwerk_clock", tmp_path)

    for count, expected in (("0", False), ("2", True)):
        (group / "memory.events").write_text(f"low 0\nmax 3\noom_kill {count}\n")
        assert ran_out_of_memory("stellwerk_clock", tmp_path) is expected
