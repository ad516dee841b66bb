"""Docker's API, as far as services need it, through the Docker SDK for Python.

Docker's own errors end here. Every call opens a connection of its own, so that nothing has to be
closed and threads may share this.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

from docker import APIClient
from docker.errors import APIError, DockerException, NotFound
from requests import RequestException, Response

from stellwerk.errors import ProviderError, ProviderRejected, ProviderUnavailable
from stellwerk.providers.services.swarm.body import HOST_NETWORK
from stellwerk.providers.services.swarm.labels import SERVICE, STACK
from stellwerk.providers.vendor_errors import provider_error
from stellwerk.settings import Settings

Json = Mapping[str, Any]

CONFLICT = 409
LOG_BLOCK_BYTES = 64 * 1024
OUT_OF_SEQUENCE = "update out of sequence"
NO_MANAGER = ("not a swarm manager", "not part of a swarm")
SWARM_INIT = (
    "This Docker is not the manager of a swarm. Run `docker swarm init` there, or set "
    "STELLWERK_SWARM_URL to one that is."
)
ANY_VERSION = "1.41"  # to ask which one it speaks; Docker 20.10, the oldest that has all we need


class Docker:
    """The services of one stack. Connects to nothing until it is asked."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.swarm_url
        self._stack = settings.swarm_stack
        self._timeout_s = settings.swarm_timeout_s
        self._token = settings.swarm_token.get_secret_value()
        self._version = ""  # of the API; asked once

    def services(self) -> list[Json]:
        """All services of the stack."""
        with self._open() as api:
            return list(api.services(filters={"label": f"{STACK}={self._stack}"}))

    def service(self, name: str) -> Json | None:
        """One of them."""
        with self._open() as api:
            try:
                return dict(api.inspect_service(name))
            except NotFound:
                return None

    def tasks(self, name: str = "") -> list[Json]:
        """The tasks of the stack or of one service, also of one that was removed meanwhile."""
        label = f"{SERVICE}={name}" if name else f"{STACK}={self._stack}"
        with self._open() as api:
            found = api.tasks(filters={"label": label})
        return list(found)

    def create(self, body: Json) -> bool:
        """Make a service; False where there is one of this name already."""
        with self._open() as api:
            try:
                api.create_service(body["TaskTemplate"], name=body["Name"], **_options(body))
            except APIError as exc:
                if exc.status_code != CONFLICT:
                    raise
                return False
        return True

    def update(self, found: Json, body: Json) -> bool:
        """Change a service as it was read; False where somebody else changed it since."""
        version = found["Version"]["Index"]
        name, template = body["Name"], body["TaskTemplate"]
        with self._open() as api:
            try:
                api.update_service(name, version, template, name=name, **_options(body))
            except APIError as exc:
                if OUT_OF_SEQUENCE not in (exc.explanation or ""):
                    raise
                return False
        return True

    def remove(self, name: str) -> None:
        """Remove a service; its tasks end some time later."""
        with self._open() as api:
            try:
                api.remove_service(name)
            except NotFound:
                return

    def ensure_network(self, name: str) -> None:
        """Make an overlay that services and the gateway may join, where there is none."""
        if name == HOST_NETWORK:
            return
        with self._open() as api:
            try:
                api.inspect_network(name)
            except NotFound:
                _make_network(api, name, self._stack)

    def logs(self, name: str, *, since: str, tail: str, within_s: float) -> bytes | None:
        """What a service wrote as Docker sends it (see frames.py); None where there is none.

        Docker waits for tasks that have no container yet: after `within_s` without a byte, what
        came until then is all.
        """
        query = {"stdout": "1", "stderr": "1", "timestamps": "1", "since": since, "tail": tail}
        with self._open() as api:
            url = f"{api.base_url}/v{api.api_version}/services/{name}/logs"
            waits = (self._timeout_s, min(within_s, self._timeout_s))
            # The SDK's own service_logs waits for ever.
            with closing(api.get(url, params=query, stream=True, timeout=waits)) as answer:
                try:
                    api._raise_for_status(answer)  # noqa: SLF001  makes APIErrors as elsewhere
                except NotFound:
                    return None
                return b"".join(_until_quiet(answer))

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """A client; Docker's errors in the block become ours."""
        try:
            with closing(self._client(self._version or self._spoken())) as api:
                yield api
        except (DockerException, RequestException) as exc:
            raise _ours(exc, self._url) from exc

    def _spoken(self) -> str:
        with closing(self._client(ANY_VERSION)) as api:
            self._version = str(api.version(api_version=False)["ApiVersion"])
        return self._version

    def _client(self, version: str) -> Any:
        api = APIClient(self._url, version=version, timeout=self._timeout_s)
        api.trust_env = False  # no proxy stands between the platform and its Docker
        if self._token:
            api.headers["Authorization"] = f"Bearer {self._token}"
        return api


def _options(body: Json) -> dict[str, Any]:
    return {
        "labels": body["Labels"],
        "mode": body["Mode"],
        "update_config": body["UpdateConfig"],
        "rollback_config": body["RollbackConfig"],
        "endpoint_spec": body["EndpointSpec"],
    }


def _make_network(api: Any, name: str, stack: str) -> None:
    try:
        api.create_network(
            name, driver="overlay", attachable=True, scope="swarm", labels={STACK: stack}
        )
    except APIError as exc:
        if exc.status_code != CONFLICT:  # another process was quicker
            raise


def _until_quiet(answer: Response) -> Iterator[bytes]:
    with suppress(RequestException):
        yield from answer.iter_content(LOG_BLOCK_BYTES)


def _ours(exc: Exception, url: str) -> ProviderError:
    if not isinstance(exc, APIError) or exc.response is None:
        return ProviderUnavailable(f"Docker does not answer at {url}: {exc}.")
    message = exc.explanation or str(exc)
    if any(words in message for words in NO_MANAGER):
        return ProviderRejected(SWARM_INIT)
    status = exc.response.status_code
    return provider_error("Docker", status, message=message, headers=exc.response.headers)
