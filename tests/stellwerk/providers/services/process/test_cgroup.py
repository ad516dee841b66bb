from pathlib import Path

from stellwerk.providers.services.process.cgroup import make_group, remove_group


def test_a_group_is_given_its_share_of_the_processors(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")

    group = make_group("stellwerk_clock", 1.5, tmp_path)

    assert group == tmp_path / "stellwerk-modules" / "stellwerk_clock"
    assert (group / "cpu.max").read_text() == "150000 100000"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu"


def test_there_is_no_group_where_the_kernel_has_no_controller(tmp_path: Path) -> None:
    assert make_group("stellwerk_clock", 1.0, tmp_path) is None
    (tmp_path / "cgroup.controllers").write_text("cpuset memory\n")
    assert make_group("stellwerk_clock", 1.0, tmp_path) is None
    assert not (tmp_path / "stellwerk-modules").exists()
    remove_group(None)
