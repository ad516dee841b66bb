"""The guarded client against real sockets: it connects where it may, and never hangs."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from itertools import chain, repeat
from pathlib import Path
from threading import Thread

import pytest
import trustme

from receiver import receiving
from stellwerk.choices import Mode
from stellwerk.errors import ErrorCode, ProviderRejected, ProviderUnavailable
from stellwerk.providers.choice import choose_providers
from stellwerk.providers.outbound.addresses import AddressRules
from stellwerk.providers.outbound.client import Answer, OutboundClient
from stellwerk.providers.outbound.targets import TargetRules
from stellwerk.settings import Settings

HOME = AddressRules((ip_network("127.0.0.1/32"),))
SOON_S = 60.0  # generous: what hangs, hangs for ever


class Names:
    """A resolver that gives other answers each time it is asked, the last from then on."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers: Iterator[Sequence[str]] = chain(answers, repeat(answers[-1]))
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        return next(self._answers)


def client(resolver: Names, ca_file: Path | None = None) -> OutboundClient:
    return OutboundClient(HOME, TargetRules(), resolver=resolver, ca_file=ca_file)


def post(made: OutboundClient, url: str, timeout_s: float = SOON_S, **options: int) -> Answer:
    return made.post(
        url, b"{}", {"Content-Type": "application/json"}, timeout_s=timeout_s, **options
    )


@contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that says to each connection whatever `talk` says."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # the client hung up, or the test is over
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        talk(connection)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_request_arrives_under_its_own_name() -> None:
    names = Names(["127.0.0.1"])
    with receiving([202]) as receiver:
        answer = post(client(names), f"http://hooks.example:{receiver.port}/in?a=1")
    (got,) = receiver.requests
    assert answer.status == 202
    assert (got.path, got.body) == ("/in?a=1", b"{}")
    assert got.headers["host"] == f"hooks.example:{receiver.port}"
    assert names.asked == ["hooks.example"]


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.1"], ["127.0.0.2"], ["::1"], ["::ffff:10.0.0.1"], ["127.0.0.1", "169.254.169.254"]],
)
def test_a_name_that_leads_inside_is_refused_and_nothing_is_connected(
    addresses: list[str],
) -> None:
    dialled: list[tuple[str, int]] = []

    def dial(address: tuple[str, int], timeout_s: float) -> socket.socket:
        dialled.append(address)
        return socket.create_connection(address, timeout_s)

    made = OutboundClient(HOME, TargetRules(), resolver=Names(addresses), dial=dial)
    with pytest.raises(ProviderRejected, match="may not be called") as refusal:
        post(made, "http://hooks.example/in")
    assert refusal.value.code is ErrorCode.TARGET_NOT_ALLOWED
    assert addresses[-1] not in refusal.value.message
    assert dialled == []
    with receiving() as outside:
        allowed = OutboundClient(HOME, TargetRules(), resolver=Names(["127.0.0.1"]), dial=dial)
        post(allowed, f"http://hooks.example:{outside.port}/in")
    assert dialled == [("127.0.0.1", outside.port)]


def test_a_name_that_changes_its_address_after_the_check_wins_nothing() -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    made = client(names)
    with receiving() as outside, receiving(host="127.0.0.2") as inside:
        url = f"http://rebinding.example:{outside.port}"
        assert post(made, url).status == 204
        assert names.asked == ["rebinding.example"]
        with pytest.raises(ProviderRejected):
            post(made, f"http://rebinding.example:{inside.port}")
    assert len(outside.requests) == 1
    assert inside.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2/",
        "http://2130706434/",
        "http://0x7f000002/",
        "http://0177.0.0.2/",
        "http://127.2/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.2]/",
        "http://localhost:1/",
        "http://" + "a" * 64 + ".example/",
    ],
)
def test_an_inner_address_in_any_spelling_is_refused(url: str) -> None:
    strict = OutboundClient(AddressRules(), TargetRules())
    with pytest.raises(ProviderRejected) as refusal:
        post(strict, url)
    assert refusal.value.code is ErrorCode.TARGET_NOT_ALLOWED


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "hooks.example",
        "//hooks.example/",
        "http://",
        "http://user:secret@hooks.example/",
        "http://hooks.example@127.0.0.1/",
        "http://hooks.example\\@127.0.0.1/",
        "http://hooks.example/\r\nX: y",
        "http://hooks.example:99999/",
        "http://[::1/",
        "http://hooks.example/" + "a" * 2048,
    ],
)
def test_a_url_of_another_form_is_refused_before_its_name_is_resolved(url: str) -> None:
    with pytest.raises(ProviderRejected) as refusal:
        post(client(Names(["127.0.0.1"])), url)
    assert refusal.value.code is ErrorCode.TARGET_NOT_ALLOWED
    assert "secret" not in refusal.value.message


def test_only_listed_ports_and_schemes_pass_where_they_are_listed() -> None:
    rules = TargetRules(allow_http=False, ports=frozenset({443}))
    assert rules.checked("https://hooks.example/").host == "hooks.example"
    for url in ("http://hooks.example/", "https://hooks.example:8443/"):
        with pytest.raises(ProviderRejected):
            rules.checked(url)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with receiving() as other, receiving([307], headers={"Location": other.url}) as receiver:
        assert post(client(Names(["127.0.0.1"])), receiver.url).status == 307
    assert other.requests == []


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy, receiving([200]) as receiver:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert post(client(Names(["127.0.0.1"])), receiver.url).status == 200
    assert proxy.requests == []


def drip_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:  # until the client hangs up
        connection.sendall(b"X-A: b\r\n")
        time.sleep(0.1)  # the pace of the drip


def drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.1)  # the pace of the drip


def say_nothing(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


@pytest.mark.parametrize("talk", [drip_headers, drip_body, say_nothing])
def test_a_slow_receiver_is_cut_off_at_the_deadline(talk: Callable[[socket.socket], None]) -> None:
    started = time.monotonic()
    with (
        talking(talk) as url,
        pytest.raises(ProviderUnavailable, match=r"within 0\.5 s"),
    ):
        post(client(Names(["127.0.0.1"])), url, timeout_s=0.5, read_bytes=100_000)
    assert time.monotonic() - started < SOON_S


def test_a_handshake_that_never_ends_is_cut_off_too() -> None:
    with talking(say_nothing) as url, pytest.raises(ProviderUnavailable, match=r"within 0\.5 s"):
        post(client(Names(["127.0.0.1"])), url.replace("http:", "https:"), timeout_s=0.5)


def test_of_an_endless_body_only_what_was_asked_for_is_read() -> None:
    def flood(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with talking(flood) as url:
        made = client(Names(["127.0.0.1"]))
        assert post(made, url, read_bytes=100).body == b"x" * 100
        assert post(made, url).body == b""


def test_a_closed_port_and_an_unknown_name_may_work_later() -> None:
    def nowhere(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(host, port)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ProviderUnavailable):
        post(client(Names(["127.0.0.1"])), f"http://hooks.example:{port}/")
    with pytest.raises(ProviderUnavailable):
        post(OutboundClient(HOME, TargetRules(), resolver=nowhere), "http://hooks.example/")


def test_tls_is_checked_against_the_name_and_not_the_address(tmp_path: Path) -> None:
    authority, names = trustme.CA(), Names(["127.0.0.1"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trusting = client(names, tmp_path / "ca.pem")
    with receiving([200], tls=tls) as receiver:
        assert post(trusting, f"https://hooks.example:{receiver.port}/").status == 200
        for url, made in (
            (f"https://other.example:{receiver.port}/", trusting),
            (f"https://hooks.example:{receiver.port}/", client(names)),
        ):
            with pytest.raises(ProviderUnavailable, match="certificate"):
                post(made, url)
    assert len(receiver.requests) == 1


def test_production_speaks_tls_alone(settings: Settings) -> None:
    development = choose_providers(settings).outbound
    production = choose_providers(settings.model_copy(update={"mode": Mode.PRODUCTION})).outbound
    development.check("http://hooks.example/")
    production.check("https://hooks.example/")
    with pytest.raises(ProviderRejected, match="https"):
        production.check("http://hooks.example/")
