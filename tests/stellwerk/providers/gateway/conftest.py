"""One gateway for all tests of this folder, and modules behind it."""

from collections.abc import Iterator

import httpx
import pytest

from gateways import GatewayProcess, module, running_gateway


@pytest.fixture(scope="package")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_gateway(tmp_path_factory.mktemp("gateway")) as made:
        yield made


@pytest.fixture(scope="package")
def echo() -> Iterator[str]:
    with module("echo") as address:
        yield address


@pytest.fixture(scope="package")
def clock() -> Iterator[str]:
    with module("clock") as address:
        yield address


@pytest.fixture
def client(process: GatewayProcess, echo: str) -> Iterator[httpx.Client]:
    process.gateway.apply(lambda: {"echo": echo})
    with process.client() as made:
        yield made
