"""What the four recipes for private processes share: control over the processes of one service."""

import signal

from gateway_worker.devkit.services.errors import ServiceControlError
from gateway_worker.devkit.services.process import Child, Command, Probe
from gateway_worker.devkit.services.values import Source
from gateway_worker.devkit.services.workspace import Workspace


class LocalService:
    """A service made of children of this process; the first to be started is the last to end.

    A recipe sets `name`, gives `url`, and starts its children with `_run`.
    """

    name: str
    source = Source.LOCAL
    stop_signal = signal.SIGTERM
    stop_timeout_seconds = 10.0
    start_timeout_seconds = 60.0

    def __init__(self, *, workspace: Workspace) -> None:
        self._workspace = workspace
        self._children: dict[str, Child] = {}

    async def stop(self) -> None:
        """Stop in order where the data counts, else at once: throw-away data owes us nothing."""
        if self._workspace.is_durable:
            for child in reversed(self._children.values()):
                await child.stop(
                    with_signal=self.stop_signal, timeout_seconds=self.stop_timeout_seconds
                )
        await self.kill()

    async def discard(self) -> None:
        """Stop: nothing but data is left of a process, and that belongs to the workspace."""
        await self.stop()

    async def kill(self) -> None:
        """End all processes with signal 9."""
        for child in reversed(self._children.values()):
            await child.kill()

    async def pause(self) -> None:
        """Freeze all processes."""
        self._require_running("pause")
        for child in self._children.values():
            child.pause()

    async def resume(self) -> None:
        """Let them run again."""
        self._require_running("resume")
        for child in self._children.values():
            child.resume()

    def _is_running(self, name: str) -> bool:
        return name in self._children and self._children[name].is_running

    def _require_running(self, operation: str) -> None:
        if not self._is_running(self.name):
            raise ServiceControlError(f"{self.name}: cannot {operation}, it does not run")

    async def _run(self, name: str, command: Command, probe: Probe) -> None:
        """Start a child and wait until it is ready; a start that fails leaves nothing behind."""
        child = Child(name=name, command=command)
        self._children.pop(name, None)
        self._children[name] = child
        child.spawn()
        try:
            await child.ready(probe, timeout_seconds=self.start_timeout_seconds)
        except BaseException:  # also when cancelled
            await self.kill()
            raise
