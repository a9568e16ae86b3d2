"""A private Valkey (the Redis protocol) from the wheel's server."""

import shutil

from gateway_worker.devkit.services import probes, programs
from gateway_worker.devkit.services.local import LocalService
from gateway_worker.devkit.services.loopback import LOOPBACK
from gateway_worker.devkit.services.process import Command, base_environment
from gateway_worker.devkit.services.workspace import Workspace, write_private

CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir {directory}
daemonize no
protected-mode yes
save ""
appendonly {appendonly}
"""


class LocalValkey(LocalService):
    """One server as a child of this process."""

    name = "redis"

    def __init__(self, *, workspace: Workspace) -> None:
        super().__init__(workspace=workspace)
        self._port = 0

    @property
    def url(self) -> str:
        """Redis URL with the password, database 0."""
        return f"redis://:{self._workspace.secret('redis')}@{LOOPBACK}:{self._port}/0"

    def forget(self) -> None:
        """Lose all data; the server must not run."""
        shutil.rmtree(self._workspace.directory(self.name) / "appendonlydir", ignore_errors=True)

    async def start(self) -> None:
        """Start the server and wait until it answers PING."""
        if self._is_running(self.name):
            return
        if not self._port:
            self._port = self._workspace.take_ports(self.name, ("resp",))["resp"]
        password = self._workspace.secret("redis")
        await self._run(
            self.name,
            self._command(),
            lambda: probes.redis_answers(self._port, password=password),
        )

    def _command(self) -> Command:
        directory = self._workspace.directory(self.name)
        configuration = directory / "valkey.conf"
        write_private(
            configuration,
            CONFIGURATION.format(
                host=LOOPBACK,
                port=self._port,
                password=self._workspace.secret("redis"),
                directory=directory,
                appendonly="yes" if self._workspace.is_durable else "no",
            ),
        )
        return Command(
            arguments=[programs.valkey_server(), str(configuration)],
            environment=base_environment(),
            directory=directory,
            log_path=self._workspace.log_path(self.name),
        )
