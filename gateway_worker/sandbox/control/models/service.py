"""The service as a whole."""

from __future__ import annotations

from typing import Literal

from gateway_worker.sandbox.control.models.base import Body


class ServiceState(Body):
    """Whether the service can be reached at all."""

    reachable: bool


class EgressView(Body):
    """A request for another host, refused."""

    method: str
    target: str


class EgressList(Body):
    """All of them, oldest first."""

    attempts: tuple[EgressView, ...]


class Health(Body):
    """The sandbox is up."""

    status: Literal["ok"] = "ok"
    phones: int
    companions_online: int
    egress_attempts: int
    handling_errors: int


class WorkerEnv(Body):
    """The three settings that point a worker at this sandbox."""

    proxy_url: str
    ca_file: str
    root_key: str

    def env(self) -> dict[str, str]:
        """Return them under the names that the worker reads."""
        return {
            "SANDBOX_PROXY_URL": self.proxy_url,
            "SANDBOX_CA_FILE": self.ca_file,
            "SANDBOX_ROOT_KEY": self.root_key,
        }


class Ready(WorkerEnv):
    """The line that the command prints once everything listens."""

    control_url: str
