"""Becomes a service's program: its limits, its user, its variables. Run as a script.

    python -I -S launch.py < ORDER

Standard library only. The order comes by standard input and not by variables, as some of those
(LD_PRELOAD) would be heeded before this process has given up its user.
"""

import ctypes
import json
import os
import resource
import signal
import struct
import sys
from contextlib import suppress
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CANNOT_START = 127  # what shells answer for a program that is missing
OPEN_FILES = 4096
LARGEST_FILE_BYTES = 1024**3
NICENESS = 5  # the platform itself comes first
OOM_SCORE = 500  # of a machine without memory, this ends before the platform
UMASK = 0o077

# landlock(7): numbers of its calls on every architecture, and what of it is used.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
BIND_TCP, NET_PORT = 1, 2
ANY_FREE_PORT = 0  # of the range for outgoing connections, which is nobody's

# What unshare(2) and mount(2) take.
CLONE_NEWNS, CLONE_NEWIPC = 0x00020000, 0x08000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
TEMPORARY = "/tmp"  # noqa: S108  made private
PRIVATE = ("/dev/shm", TEMPORARY, "/var/tmp")  # noqa: S108  likewise
TEMPORARY_FILES = 10_000


def main() -> NoReturn:
    """Read the order, and become what it says; ends with 127 and a sentence where that fails."""
    order = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        _limit(order)
        if order["uid"] is not None:
            is_apart = _be_apart(order)
            _leave_root(order["uid"])
            if not is_apart:
                _pass_by_its_data(order)
        _tie_to(order["keeper"])
        _take_no_other_port(order["port"])
        os.chdir(order["folder"])
        os.execvpe(order["argv"][0], order["argv"], order["environment"])  # noqa: S606  no shell is wanted
    except OSError as exc:
        place = exc.filename if isinstance(exc.filename, str) else order["argv"][0]
        print(f"cannot start {place}: {exc.strerror}", file=sys.stderr)  # noqa: T201  its log
        sys.exit(CANNOT_START)


def _limit(order: dict[str, Any]) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_FSIZE: LARGEST_FILE_BYTES,
        resource.RLIMIT_AS: order["address_space"],
        resource.RLIMIT_NPROC: order["processes"],
    }
    for kind, wanted in limits.items():
        hardest = resource.getrlimit(kind)[1]
        value = wanted if hardest == resource.RLIM_INFINITY else min(wanted, hardest)
        resource.setrlimit(kind, (value, value))
    if order["group"]:
        with suppress(OSError), open(order["group"], "w") as file:  # noqa: PTH123  each import counts
            file.write("0")  # whoever writes
    with suppress(OSError):  # it is as nice, or not ours to change
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123  each import counts
        file.write(str(OOM_SCORE))
    os.umask(UMASK)


def _be_apart(order: dict[str, Any]) -> bool:
    """Temporary folders are its own, and what it leaves there goes with it; False where it is not.

    Who asks about its health sees those of the service. In most containers we may not do this.
    """
    libc, before = ctypes.CDLL(None), os.stat(TEMPORARY).st_dev  # noqa: PTH116  each import counts
    if order["beside"]:
        with suppress(OSError):  # it has just ended
            space = os.open(f"/proc/{order['beside']}/ns/mnt", os.O_RDONLY)
            libc.setns(space, CLONE_NEWNS)
            os.close(space)
    elif libc.unshare(CLONE_NEWNS | CLONE_NEWIPC) == 0:
        private = ctypes.c_ulong(MS_REC | MS_PRIVATE)
        if libc.mount(None, b"/", None, private, None) == 0:  # else the machine would see it all
            _mount_own(libc, order)
    return os.stat(TEMPORARY).st_dev != before  # noqa: PTH116  each import counts


def _mount_own(libc: ctypes.CDLL, order: dict[str, Any]) -> None:
    """One file system in memory for all of them, but for those that hold what it needs."""
    first = b""
    for place in PRIVATE:
        if not os.path.isdir(place) or any(one.startswith(f"{place}/") for one in order["needs"]):  # noqa: PTH112  each import counts
            continue
        target = place.encode()
        if first:
            libc.mount(first, target, None, ctypes.c_ulong(MS_BIND), None)
            continue
        options = f"size={order['temporary_bytes']},nr_inodes={TEMPORARY_FILES},mode=1777".encode()
        flags = ctypes.c_ulong(MS_NOSUID | MS_NODEV)
        if libc.mount(b"tmpfs", target, b"tmpfs", flags, options) == 0:
            first = target


def _pass_by_its_data(order: dict[str, Any]) -> None:
    """What others would find in /tmp goes where they do not get; the module may say otherwise."""
    folder = order["environment"]["DATA_DIR"] + "/tmp"  # noqa: S108  its own
    with suppress(OSError):  # it is there, or its data are full
        os.mkdir(folder)  # noqa: PTH102  each import counts
    order["environment"].setdefault("TMPDIR", folder)


def _leave_root(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if os.getuid() == 0 or os.geteuid() == 0:
        sys.exit("this is still root")


def _tie_to(keeper: int) -> None:
    """No program of another user's from here on, and none without its keeper.

    A change of user clears the second wish, so it comes after that.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != keeper:
        sys.exit("the keeper is gone")


def _take_no_other_port(port: int) -> None:
    """Ports of the platform, and of other modules, are not taken while those restart.

    Kernels before 6.7 (Landlock's version 4) have no such rule.
    """
    libc = ctypes.CDLL(None)
    handled = struct.pack("=QQ", 0, BIND_TCP)  # of files nothing
    rules = libc.syscall(CREATE_RULESET, handled, len(handled), 0)
    if rules < 0:
        return
    for allowed in (port, ANY_FREE_PORT):
        libc.syscall(ADD_RULE, rules, NET_PORT, struct.pack("=QQ", BIND_TCP, allowed), 0)
    libc.syscall(RESTRICT_SELF, rules, 0)
    os.close(rules)


if __name__ == "__main__":
    main()
