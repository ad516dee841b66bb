"""nginx as the edge of the real web and realtime processes: what lasts, over TLS."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme

from embedded import wait_until
from front import Front
from full_stack import Client
from jobs_over_http import cancel, events, submit_for_later
from nginx_edge import running_nginx
from sockets import is_event, talking
from stellwerk.bootstrap import Platform
from stellwerk.stack.ports import free_port
from upstreams import Ports

pytestmark = pytest.mark.xdist_group("front")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def url(
    authority: trustme.CA, front_process: Front, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    web, realtime = (
        int(url.rpartition(":")[2]) for url in (front_process.web_url, front_process.realtime_url)
    )
    chosen = Ports(free_port(), web, realtime, free_port())
    with running_nginx(chosen, authority, tmp_path_factory.mktemp("nginx")):
        yield f"https://127.0.0.1:{chosen.edge}"


@pytest.fixture
def ada(platform: Platform, url: str, authority: trustme.CA, tmp_path: Path) -> Client:
    del platform  # empties the ledger
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    client = Client(url)
    client.session.trust_env = False  # where the environment names authorities, these would count
    client.session.verify = str(tmp_path / "authority.pem")
    wait_until(lambda: reaches(client))
    return client.sign_up()


def reaches(client: Client) -> bool:
    try:
        return client.request("GET", "/health/live").ok
    except requests.RequestException:
        return False


def test_a_job_is_followed_over_a_socket(ada: Client, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    job_id = submit_for_later(ada)
    with talking(ada, ssl=context) as talk:
        assert talk.subscribe(f"job:{job_id}")["event"] == "snapshot"
        cancel(ada, job_id)
        assert talk.hear_until(is_event("end"))[-1]["data"]["status"] == "cancelled"


def test_events_are_not_held_back(ada: Client) -> None:
    job_id = submit_for_later(ada)
    with events(ada, job_id) as (_, stream):
        assert next(stream).type == "snapshot"
        cancel(ada, job_id)
        assert "end" in (event.type for event in stream)


def test_a_wait_ends_with_the_job(ada: Client) -> None:
    job_id = submit_for_later(ada)
    assert ada.request("GET", f"/jobs/{job_id}?wait=1").json()["status"] == "scheduled"
    cancel(ada, job_id)
    assert ada.request("GET", f"/jobs/{job_id}?wait=20").json()["status"] == "cancelled"
