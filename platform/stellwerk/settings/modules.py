"""Where modules run, and what each of them may take."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, field_validator

from stellwerk.choices import ModuleRuntime
from stellwerk.settings.edge import is_origin


class Modules(BaseModel):
    """Where modules run, and what each of them may take."""

    # Modules
    module_runtime: ModuleRuntime = ModuleRuntime.PROCESS
    allow_unconfined_modules: bool = False  # in production, processes as the platform's own user
    modules_dir: Path | None = None  # empty: `modules` in the home, or where its users reach it
    modules_port: int = Field(default=8100, ge=0, le=65535)  # of their pages' origin; 0: a free one
    modules_url: str = ""  # of that origin as browsers see it; empty: this host with modules_port
    gateway_port: int = Field(default=8003, ge=1, le=65535)  # where the edge finds modules' pages
    gateway_admin: str = ""  # unix:///a/path or http://host:port; empty: a socket in the home
    module_ports_from: int = Field(default=20_000, ge=1024, le=65000)  # first port of instances
    module_instances: int = Field(default=250, ge=1, le=5000)  # at most; each has two ports
    module_users_from: int = Field(default=610_000, ge=10_000)  # their users (uid), one each
    module_memory_mb: int = Field(default=512, ge=16)  # of an instance, unless its module says less
    module_cpus: float = Field(default=1.0, gt=0)  # the same
    module_processes: int = Field(default=64, ge=2)  # the same; threads count
    module_stop_grace_s: float = Field(default=10.0, ge=0)  # after SIGTERM, before SIGKILL
    module_health_within_s: float = Field(default=60.0, gt=0)  # from its start to healthy
    module_drain_s: float = Field(default=5.0, ge=0)  # what was replaced still ends its answers
    module_status_ttl_s: float = Field(default=5.0, ge=0)  # of what runs, as lists show it

    # Module repositories
    module_index_ttl_s: float = Field(default=600.0, ge=0)  # then an index is read again
    module_index_bytes: int = Field(default=16 * 1024**2, ge=1024)
    module_archive_bytes: int = Field(default=200 * 1024**2, ge=1024)
    module_unpacked_bytes: int = Field(default=1024**3, ge=1024)
    module_unpacked_files: int = Field(default=20_000, ge=1)
    module_repository_timeout_s: float = Field(default=10.0, gt=0)  # of each answer, and each read
    module_download_timeout_s: float = Field(default=600.0, gt=0)  # of a whole archive
    module_repository_ca_file: Path | None = None  # certificates of HTTPS repositories' authorities

    # Docker Swarm
    swarm_url: str = "unix:///var/run/docker.sock"  # of Docker, or of a container-manager before it
    swarm_stack: str = Field(default="stellwerk", pattern=r"^[a-z][a-z0-9]{0,11}$")
    swarm_network: str = "stellwerk_modules"  # without Redis and Postgres; `host`: this machine's
    swarm_image: str = "python:3.11-slim"  # in which modules without an image run
    swarm_timeout_s: float = Field(default=10.0, gt=0)  # of each answer of Docker
    swarm_token: SecretStr = SecretStr("")  # for a container-manager
    container_manager_listen: str = "unix:///run/stellwerk/containers.sock"  # or tcp://host:port
    container_manager_docker: str = "unix:///var/run/docker.sock"  # of the Docker behind it

    def module_port(self, slot: int, generation: int) -> int:
        """The port of an instance's service: an update takes the other one of its two."""
        return self.module_ports_from + 2 * slot + generation % 2

    def module_ports(self) -> range:
        """All ports that instances' services may have."""
        return range(self.module_ports_from, self.module_port(self.module_instances, 0))

    def module_user(self, port: int) -> int:
        """The user (uid) of the instance that has this port."""
        return self.module_users_from + (port - self.module_ports_from) // 2

    @field_validator("modules_url")
    @classmethod
    def _is_origin(cls, url: str) -> str:
        bare = url.removesuffix("/")
        if bare and not is_origin(bare):
            raise ValueError(f"{url!r} is no origin such as https://modules.example.com (no path).")
        return bare

    @field_validator("gateway_admin")
    @classmethod
    def _is_place(cls, url: str) -> str:
        if url and not url.startswith(("unix:///", "http://")):
            raise ValueError("Is neither unix:///a/path nor http://host:port.")
        return url
