"""Which users (uid) a home's modules are, under root: those of no other home on this machine.

Homes claim their ranges in one file of the shelter, and each remembers its own.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from stellwerk.errors import ProviderRejected
from stellwerk.settings import Settings
from stellwerk.stack.home import read_json, write_json
from stellwerk.stack.shelter import PASSABLE, SHELTER, locked

RECORD = "module_users.json"  # in the home
CLAIMS = "claimed_users.json"  # in the shelter
MOST = 2**31


def module_user(settings: Settings, port: int, shelter: Path = SHELTER) -> int:
    """The user of the instance that has this port.

    Raises ProviderRejected where the settings name users that another home has.
    """
    shift = _claimed(settings, shelter) - settings.module_users_from
    return settings.module_user(port) + shift


def release_users(home: Path, shelter: Path = SHELTER) -> None:
    """Claim none any more; the home's modules are gone."""
    (home / RECORD).unlink(missing_ok=True)
    if os.geteuid() == 0 and str(home) in read_json(shelter / CLAIMS):
        with locked(shelter):
            write_json(shelter / CLAIMS, _others(shelter, home))


def _claimed(settings: Settings, shelter: Path) -> int:
    """The first of this home's."""
    home, wanted = settings.home.absolute(), settings.module_users_from
    if not _is_ours(shelter):
        return wanted  # a system that cannot be written to runs one stack
    with locked(shelter):
        record, others = read_json(home / RECORD), _others(shelter, home)
        known = record["from"] if record.get("wanted") == wanted else wanted
        first = _free(range(known, known + settings.module_instances), others.values())
        if first != known and _is_given(settings):
            raise ProviderRejected(
                f"Users from {wanted} on are those of the modules of another home "
                f"({', '.join(others)}): set STELLWERK_MODULE_USERS_FROM to other numbers."
            )
        claim = [first, settings.module_instances]
        if read_json(shelter / CLAIMS).get(str(home)) != claim or record.get("from") != first:
            home.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
            write_json(home / RECORD, {"wanted": wanted, "from": first})
            write_json(shelter / CLAIMS, others | {str(home): claim})
    return first


def _is_ours(shelter: Path) -> bool:
    with suppress(OSError):  # a read-only system, or one that has it already
        shelter.mkdir()
        shelter.chmod(PASSABLE)
    return shelter.is_dir() and shelter.stat().st_uid == 0 and os.access(shelter, os.W_OK)


def _others(shelter: Path, home: Path) -> dict[str, list[int]]:
    """What other homes claim that there still are."""
    claims = read_json(shelter / CLAIMS).items()
    return {
        other: claim
        for other, claim in claims
        if other != str(home) and (Path(other) / RECORD).exists()
    }


def _free(wanted: range, claims: Iterable[list[int]]) -> int:
    """Where so many begin that nobody claims: there, else as soon as possible after that."""
    first = wanted.start
    for begin, count in sorted(claims):
        if begin < first + len(wanted) and first < begin + count:
            first = begin + count
    if first + len(wanted) > MOST:
        raise ProviderRejected("Other homes' modules have all users (uid) there are.")
    return first


def _is_given(settings: Settings) -> bool:
    return bool(settings.module_users_from != Settings.model_fields["module_users_from"].default)
