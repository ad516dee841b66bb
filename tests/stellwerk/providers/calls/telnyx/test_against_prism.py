"""Calls over Telnyx's own SDK against a third party's server that follows Telnyx's document.

It answers every question with the document's examples and knows nothing of what was asked before.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pydantic import SecretStr

from emulated_telnyx import running_telnyx
from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.calls.carriers import Manner
from stellwerk.providers.calls.protocol import Dial, EventKind, Leg, Presence
from stellwerk.providers.calls.telnyx.client import Access, client_of
from stellwerk.providers.calls.telnyx.trunk import TelnyxTrunk

pytestmark = pytest.mark.xdist_group("prism")  # its start takes seconds

CONNECTION = "1293384261075731499"
OWN_NUMBER = "+15551234567"


@pytest.fixture(scope="module")
def telnyx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_telnyx(tmp_path_factory.mktemp("telnyx")) as url:
        yield url


@pytest.fixture
def trunk(telnyx: str) -> TelnyxTrunk:
    access = Access(SecretStr("KEY"), CONNECTION, telnyx, timeout_s=60)
    manner = Manner(1, OWN_NUMBER, "https://calls.example")
    return TelnyxTrunk(client_of(access), CONNECTION, manner)


def test_what_is_asked_is_as_the_document_has_it(trunk: TelnyxTrunk) -> None:
    dial = Dial(uuid4(), "+4930123450001", recording=None)
    ref = asyncio.run(trunk.dial(dial))
    assert ref is not None
    assert ref.startswith("v")
    asyncio.run(trunk.hang_up(dial.call_id, ref))


def test_who_answered_is_transferred_as_the_document_has_it(trunk: TelnyxTrunk) -> None:
    dial = Dial(uuid4(), "+4930123450004", first="+4930123450005")
    ref = asyncio.run(trunk.dial(dial))
    assert ref is not None
    began = asyncio.run(trunk.bridge(dial, ref))
    assert (began.leg, began.kind, began.ref) == (Leg.TO, EventKind.CREATED, None)


def test_an_end_is_read_from_the_events(trunk: TelnyxTrunk) -> None:
    trace = asyncio.run(trunk.trace(Dial(uuid4(), "+4930123450002"), "v2:abc", datetime.now(UTC)))
    assert trace.presence is Presence.ENDED
    assert {(one.kind, one.cause) for one in trace.events} == {
        (EventKind.HUNG_UP, "NORMAL_UNSPECIFIED")
    }


def test_a_question_that_is_refused_says_nothing_of_a_call(trunk: TelnyxTrunk) -> None:
    with pytest.raises(ProviderUnavailable):  # the document lists no active calls
        asyncio.run(trunk.trace(Dial(uuid4(), "+4930123450003"), None, datetime.now(UTC)))


def test_health_is_that_of_the_application(trunk: TelnyxTrunk) -> None:
    health = asyncio.run(trunk.check())
    assert health.is_connected, health.message
    assert set(health.gateways) == {"telnyx"}
