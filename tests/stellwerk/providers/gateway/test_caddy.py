"""The gateway over a real Caddy: where it leads, and that its changes disturb nobody."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from embedded import wait_until
from gateways import GatewayProcess, joined, module, talking
from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.gateway.caddy import CaddyGateway
from stellwerk.stack.gateway import last_routes
from stellwerk.stack.gateway_socket import LONGEST_BYTES, admin_socket, remove_admin_socket
from stellwerk.stack.home import Home
from stellwerk.stack.ports import free_port

A_MOMENT_S, TRIES = 1.0, 10  # half of what it waits; a busy machine is asked again
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_what_is_applied_is_where_it_leads(process: GatewayProcess, echo: str, clock: str) -> None:
    wanted = {"echo": echo, "clock": clock}
    process.gateway.apply(dict)
    assert process.gateway.apply(lambda: wanted)
    assert process.gateway.routes() == wanted
    for name in wanted:
        assert process.get(f"/{name}/").json()["who"] == name
    assert not process.gateway.apply(lambda: wanted)


def test_a_module_sees_its_own_addresses_and_is_told_what_stands_before_them(
    client: httpx.Client,
) -> None:
    seen = client.get("/echo/a%2Fb/c?d=e").json()
    assert seen["path"] == "/a%2Fb/c?d=e"
    assert seen["headers"]["x-forwarded-prefix"] == "/echo"
    assert client.get("/echo/").json()["path"] == "/"


@pytest.mark.parametrize("query", ["", "?a=b&c"])
def test_a_modules_name_alone_leads_to_its_folder(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/echo{query}")
    assert (answer.status_code, answer.headers["location"]) == (308, f"/echo/{query}")


@pytest.mark.parametrize("path", ["/", "/nobody/", "/ECHO/", "/echoes/", "/x/echo/"])
def test_an_address_of_no_module_is_told_in_the_envelope(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert "No module of this name is installed" in answer.json()["error"]["message"]


def test_browsers_are_told_so_on_a_page(client: httpx.Client) -> None:
    answer = client.get("/nobody/", headers=HTML)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "No such module" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(("headers", "said"), [({}, "UNAVAILABLE"), (HTML, "<h1>This module")])
def test_a_module_that_does_not_answer_is_503_with_the_time_to_come_again(
    process: GatewayProcess, headers: dict[str, str], said: str
) -> None:
    process.gateway.apply(lambda: {"gone": f"127.0.0.1:{free_port()}"})
    answer = process.get("/gone/", headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert said in answer.text


def test_a_request_waits_a_moment_for_a_module_that_starts(process: GatewayProcess) -> None:
    for _ in range(TRIES):
        port = free_port()
        process.gateway.apply(partial(dict, late=f"127.0.0.1:{port}"))
        began = time.monotonic()
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(process.get, "/late/")
            with module("late", port):
                is_in_time = time.monotonic() - began < A_MOMENT_S
                answer = asked.result()
        if is_in_time:
            break
    assert answer.json()["who"] == "late"


def test_an_answer_that_is_under_way_outlasts_changes(
    process: GatewayProcess, echo: str, clock: str
) -> None:
    process.gateway.apply(lambda: {"echo": echo})
    with process.client() as client, client.stream("GET", "/echo/slow?50") as answer:
        lines = answer.iter_lines()
        first = next(lines)
        for address in (clock, echo) * 5:
            assert process.gateway.apply(partial(dict, clock=address))
        assert [first, *lines] == [str(number) for number in range(50)]


def test_sockets_outlast_a_change(process: GatewayProcess, echo: str) -> None:
    with talking(process) as url, joined(url) as talk:
        process.gateway.apply(lambda: {"echo": echo})
        talk.send("still there?")
        assert talk.recv(timeout=60) == "still there?"


def test_of_several_who_change_it_the_one_who_read_last_stands(
    process: GatewayProcess, echo: str
) -> None:
    installed: dict[str, str] = {}

    def install(number: int) -> None:
        installed[f"m{number}"] = echo
        process.gateway.apply(lambda: dict(installed))

    threads = [threading.Thread(target=install, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process.gateway.routes() == installed


def test_a_gateway_that_was_killed_comes_back_with_its_routes(
    process: GatewayProcess, echo: str
) -> None:
    process.gateway.apply(lambda: {"echo": echo})
    process.start_again()
    assert process.get("/echo/").json()["who"] == "echo"
    assert not process.gateway.apply(lambda: {"echo": echo})


def test_no_socket_keeps_a_gateway_from_its_end(process: GatewayProcess) -> None:
    with talking(process) as url, joined(url):
        process.child.ask_to_end()
        wait_until(lambda: process.child.ended() or not process.child.pid)
    process.start_again()


def test_routes_that_were_half_written_are_begun_anew(tmp_path: Path) -> None:
    assert last_routes(tmp_path) == []
    (tmp_path / "caddy").mkdir()
    for text in ('{"apps": {"http"', "[]", '{"apps": {"http": {"servers": {}}}}'):
        (tmp_path / "caddy" / "autosave.json").write_text(text)
        assert last_routes(tmp_path) == []


def test_a_gateway_that_is_not_there_may_be_later(tmp_path: Path) -> None:
    for url in (f"unix://{tmp_path}/none.sock", f"http://127.0.0.1:{free_port()}"):
        with pytest.raises(ProviderUnavailable, match="does not answer"):
            CaddyGateway(url).apply(dict)


def test_nobody_but_our_own_user_may_change_routes(process: GatewayProcess) -> None:
    path = Path(process.admin.removeprefix("unix://"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_home_with_a_long_path_has_its_socket_in_a_private_folder(tmp_path: Path) -> None:
    home = Home(tmp_path / ("long" * 30))
    home.path.mkdir()
    path = admin_socket(home.path)
    assert len(bytes(path)) <= LONGEST_BYTES
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert admin_socket(home.path) == path
    remove_admin_socket(home)
    assert not path.parent.exists()
