"""Which version of which repository is meant, and what it needs before it."""

import pytest

from offered import entry, offer
from stellwerk.bootstrap import Platform
from stellwerk.errors import Conflict, ErrorCode, InvalidInput, NotFound
from stellwerk.modules import resolving
from stellwerk.modules.indices import Offer
from stellwerk.modules.model import Module, ModuleInstance
from stellwerk.modules.resolving import Wanted

INSTANCE = "1" * 32


def chosen(platform: Platform, wanted: Wanted) -> Offer:
    with platform.runtime.sessions() as session:
        return resolving.find(session, wanted)


def needed(platform: Platform, name: str) -> list[tuple[str, str | None]]:
    with platform.runtime.sessions() as session:
        found = resolving.find(session, Wanted(name))
        missing = resolving.missing(session, found)
    return [(one.module_name, one.version) for one in missing]


def installed(platform: Platform, name: str, version: str, needs: tuple[str, ...] = ()) -> None:
    stored = entry(name, version, needs=needs)
    instance_id = (name * 32)[:32].encode().hex()[:32]
    with platform.runtime.sessions.begin() as session:
        session.add(
            Module(name=name, primary_instance_id=instance_id, version=version, entry=stored)
        )
        session.flush()
        session.add(
            ModuleInstance(
                id=instance_id,
                module_name=name,
                version=version,
                entry=stored,
                service=f"stellwerk_{name}",
                address="127.0.0.1:1",
                path="/nowhere",
                release="releases/1",
            )
        )


def test_the_newest_version_is_meant_where_none_is_named(platform: Platform) -> None:
    offer(platform, "one", *(entry("clock", version) for version in ("1.9.0", "1.10.0", "1.2.0")))
    assert chosen(platform, Wanted("clock")).version == "1.10.0"
    assert chosen(platform, Wanted("clock", "1.2.0")).version == "1.2.0"


def test_the_first_repository_is_meant_where_all_agree(platform: Platform) -> None:
    first = offer(platform, "one", entry("clock"))
    second = offer(platform, "two", entry("clock"))
    assert chosen(platform, Wanted("clock")).repository_id == first
    assert chosen(platform, Wanted("clock", repository_id=second)).repository_id == second


def test_different_things_under_one_name_have_to_be_chosen_between(platform: Platform) -> None:
    first = offer(platform, "one", entry("clock"))
    second = offer(platform, "two", entry("clock", by="somebody else"))
    with pytest.raises(Conflict) as told:
        chosen(platform, Wanted("clock"))
    assert told.value.code is ErrorCode.MODULE_AMBIGUOUS
    assert [one["repository_id"] for one in told.value.details["candidates"]] == [first, second]


def test_a_newer_version_of_another_repository_is_not_taken_silently(platform: Platform) -> None:
    offer(platform, "one", entry("clock", "1.0.0"))
    offer(platform, "two", entry("clock", "99.0.0", by="somebody else"))
    with pytest.raises(Conflict):
        chosen(platform, Wanted("clock"))


def test_what_nobody_has_is_said_with_what_there_is(platform: Platform) -> None:
    offer(platform, "one", entry("clock", "1.0.0"), entry("clock", "1.1.0"))
    with pytest.raises(NotFound, match=r"no version 2.0.0 of clock, but 1.0.0, 1.1.0"):
        chosen(platform, Wanted("clock", "2.0.0"))
    with pytest.raises(NotFound, match="no module echo"):
        chosen(platform, Wanted("echo"))


def test_what_is_needed_comes_first_and_once(platform: Platform) -> None:
    offer(
        platform,
        "one",
        entry("page", needs=["clock", "store>=1.1"]),
        entry("store", "1.0.0"),
        entry("store", "1.2.0", needs=["clock"]),
        entry("clock"),
    )
    assert needed(platform, "page") == [("clock", "1.0.0"), ("store", "1.2.0")]


def test_what_is_there_is_not_installed_again(platform: Platform) -> None:
    offer(platform, "one", entry("page", needs=["clock>=1.0"]), entry("clock", "2.0.0"))
    installed(platform, "clock", "1.5.0")
    assert needed(platform, "page") == []


def test_a_version_that_will_not_do_has_to_be_updated_first(platform: Platform) -> None:
    offer(platform, "one", entry("page", needs=["clock>=2"]), entry("clock", "2.0.0"))
    installed(platform, "clock", "1.5.0")
    with pytest.raises(Conflict, match="Update clock first") as told:
        needed(platform, "page")
    assert told.value.code is ErrorCode.MODULE_NEEDED


def test_modules_that_need_each_other_are_refused(platform: Platform) -> None:
    offer(
        platform, "one", entry("a", needs=["b"]), entry("b", needs=["c"]), entry("c", needs=["a"])
    )
    with pytest.raises(InvalidInput, match="a -> b -> c -> a") as told:
        needed(platform, "a")
    assert told.value.code is ErrorCode.MODULE_CYCLE


def test_a_need_that_nobody_offers_is_named(platform: Platform) -> None:
    offer(platform, "one", entry("page", needs=["clock>=3"]), entry("clock", "2.0.0"))
    with pytest.raises(NotFound, match="page needs clock>=3, which no repository has"):
        needed(platform, "page")


def test_two_that_need_different_versions_of_a_third_are_refused(platform: Platform) -> None:
    offer(
        platform,
        "one",
        entry("page", needs=["store", "clock<2"]),
        entry("store", needs=["clock"]),
        entry("clock", "1.0.0"),
        entry("clock", "2.0.0"),
    )
    with pytest.raises(Conflict, match=r"store needs clock .* but page needs clock<2") as told:
        needed(platform, "page")
    assert told.value.code is ErrorCode.MODULE_NEEDED


def test_what_others_need_is_not_removed(platform: Platform) -> None:
    installed(platform, "clock", "1.0.0")
    installed(platform, "page", "1.0.0", needs=("clock",))
    with platform.runtime.sessions() as session:
        with pytest.raises(Conflict, match="needed by page") as told:
            resolving.refuse_needed(session, "clock")
        resolving.refuse_needed(session, "page")
    assert told.value.details == {"modules": ["page"]}
