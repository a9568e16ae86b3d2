"""Starts hosts: the sessions' `HostLauncher`, over one fork server that is replaced if it dies."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
import structlog

from gateway_contracts.commands import PairByCode
from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.envelope import Start
from gateway_worker.host_protocol.layout import DEVICE_STORE_NAME
from gateway_worker.host_protocol.settings import IGNORED
from gateway_worker.runtime.forking.client import ForkServer
from gateway_worker.runtime.forking.current import CurrentForkServer
from gateway_worker.runtime.lease_clock import lease_time
from gateway_worker.runtime.memory import may_look, pss_bytes
from gateway_worker.runtime.os_errors import explain
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.hosting import HostListener, HostSpec
from gateway_worker.sessions.send_journal import SendTrace
from gateway_worker.whatsapp.forkserver import ORPHAN_MARGIN_SECONDS, start_fork_server
from gateway_worker.whatsapp.process import HostProcess
from gateway_worker.whatsapp.send_journals import Run, trace
from gateway_worker.whatsapp.settings import WhatsAppSettings

log = structlog.get_logger(__name__)

STEADY_SECONDS: Final = 60.0
"""A fork server that has lived for so long is replaced at once when it dies; others later and
later, or as soon as a host is to be started."""
_SPREAD: Final = 0.25
"""How much less or more than set each host waits for WhatsApp: they must not leave in step."""
MOST_NOTICES: Final = 50
"""So many kinds of notices are counted apart, whatever hosts may make up."""
LISTENER_SECONDS: Final = 2.0
"""How long a listener may take for its last events when everything stops."""


class HostProcesses:
    """All hosts of this worker; an asynchronous context manager.

    Entering starts the fork server. Leaving stops every host that still runs, in parallel.

    Args:
        settings: How hosts are run.

    Attributes:
        notices: How often each kind of notice came from a host, for metrics.
        ignored: How much of what arrived was ignored, by why, likewise.
    """

    def __init__(self, settings: WhatsAppSettings) -> None:
        self._settings = settings
        self._servers = CurrentForkServer(self._start_server)
        self._keeper: asyncio.Task[None] | None = None
        self._hosts: set[HostProcess] = set()
        self._kills = 0
        self._lease_end: float | None = None
        self._spare_seconds = 0.0
        self.notices: Counter[str] = Counter()
        self.ignored: Counter[str] = Counter()

    @property
    def fork_server_pid(self) -> int | None:
        """The fork server's process id, if it runs."""
        server = self._servers.latest
        return server.pid if server is not None and server.alive else None

    @property
    def host_pids(self) -> tuple[int, ...]:
        """The process ids of the hosts that run."""
        return tuple(host.pid for host in self._hosts if not host.finished)

    def measured_pids(self) -> tuple[int, ...]:
        """Return the process ids of the fork server and the hosts; none before there is one.

        Where they may not be looked into from here, each is asked for the next time.
        """
        server = self._servers.latest
        if server is None or not server.alive:
            return ()
        if not may_look(server.pid):
            server.ask_memory()
            for host in self._hosts:
                host.ask_memory()
        return (server.pid, *self.host_pids)

    def pss_bytes(self, pid: int) -> int | None:
        """Return a process's proportional memory as measured, or as it has last said itself."""
        found = pss_bytes(pid)
        if found is not None:
            return found
        server = self._servers.latest
        if server is not None and pid == server.pid:
            return server.told_bytes
        return next((host.told_bytes for host in self._hosts if host.pid == pid), None)

    async def __aenter__(self) -> Self:
        """Start the fork server. Raises `DependencyError`."""
        await self._servers.running()
        self._keeper = asyncio.create_task(self._keep(), name="fork-server")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every host, then the fork server."""
        self._servers.refuse()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        hosts = tuple(self._hosts)
        try:
            await asyncio.gather(*(host.stop() for host in hosts))
            await asyncio.gather(*(host.finish(seconds=LISTENER_SECONDS) for host in hosts))
        finally:  # also when there is no time left for that
            for host in hosts:
                host.kill()
            await self._servers.close()

    def extend_lease(self, seconds: float | None, *, spare_seconds: float = 0.0) -> None:
        """Let the hosts live for so long from now; without an extension they are killed then.

        The fork server does that, even while this process stands still, and it starts no host
        until the next extension. Cheap, never raises.

        Args:
            seconds: None: no end, as before the first call. Zero or less: it has ended already, as
                when an answer from the database took longer than the lease that it confirms.
            spare_seconds: How much later the kernel kills them, if the fork server stands still.
        """
        self._lease_end = None if seconds is None else lease_time() + seconds
        self._spare_seconds = spare_seconds
        if (server := self._servers.latest) is not None:
            server.extend_lease(self._lease_end, spare_seconds=spare_seconds)

    def kill_all(self) -> None:
        """End every host within a moment, those too that are just being started. Never raises.

        Each is told by an `Exited` that was not expected; new ones can be started.
        """
        self._kills += 1
        for host in self._hosts:
            host.forbid()

    async def end_all(self) -> None:
        """Kill every host that is left, and return when none runs any more. Never raises.

        None is started after that. For a worker that is about to say that its sessions can be had.
        """
        self._servers.refuse()
        hosts = [host for host in self._hosts if not host.is_gone]
        if hosts:
            log.warning("hosts.killed", hosts=len(hosts))
        for host in hosts:
            host.kill()
        await asyncio.gather(*(host.gone() for host in hosts))

    async def launch(self, spec: HostSpec, listener: HostListener) -> HostProcess:
        """Start a host and return once its process runs; see the port."""
        return await self._launch(spec, listener, self._start_frame(spec))

    async def replay(self, spec: HostSpec, listener: HostListener) -> HostProcess:
        """Start a host that only tells what is in a directory's spool; see the port."""
        return await self._launch(spec, listener, self._start_frame(spec, replay=True))

    async def _launch(self, spec: HostSpec, listener: HostListener, start: Start) -> HostProcess:
        kills = self._kills
        try:
            directory = await asyncio.to_thread(_made, spec.directory)
        except OSError as error:
            detail = f"the session's directory cannot be made: {explain(error)}"
            raise DependencyError(detail) from error
        forked = await (await self._servers.running()).fork()
        host = HostProcess(
            session_id=spec.session_id,
            directory=spec.directory,
            forked=forked,
            listener=listener,
            settings=self._settings,
            noticed=self._on_notice,
            ignored=self._on_ignored,
            is_ours=self._is_ours,
        )
        await host.connect()
        # Nothing is awaited from here to the return, so the caller has the host before its first
        # event has the caller.
        self._hosts = {one for one in self._hosts if not one.finished} | {host}
        host.begin(msgspec.structs.replace(start, directory=directory))
        if kills != self._kills:
            host.kill()
        return host

    async def _keep(self) -> None:
        """Replace a fork server that dies at once: its start would hold the next session up."""
        backoff = Backoff(initial_seconds=0.1, maximum_seconds=60.0)
        while (server := self._servers.latest) is not None:
            started = time.monotonic()
            await server.gone.wait()
            if time.monotonic() - started >= STEADY_SECONDS:
                backoff.reset()
            await asyncio.sleep(backoff.next_seconds())
            try:
                await self._servers.running()
            except (DependencyError, OSError) as error:
                log.warning("fork_server.not_started", reason=str(error))

    async def _start_server(self) -> ForkServer:
        server = await start_fork_server(self._settings)
        server.extend_lease(self._lease_end, spare_seconds=self._spare_seconds)
        return server

    async def look_up(
        self,
        directory: Path,
        command_id: str,
        *,
        worker_id: str,
        epoch: int,
        began: datetime | None = None,
    ) -> SendTrace:
        """Return what became of a send; see `sessions.send_journal`."""
        run = Run(command_id=command_id, worker_id=worker_id, epoch=epoch, began=began)
        seconds = self._settings.orphan_seconds + ORPHAN_MARGIN_SECONDS
        return await trace(directory, run, is_ours=self._is_ours, seconds=seconds)

    def _is_ours(self, pid: int) -> bool:
        return pid in self.host_pids

    def _on_notice(self, event: str) -> None:
        is_new = event not in self.notices
        self.notices["other" if is_new and len(self.notices) >= MOST_NOTICES else event] += 1

    def _on_ignored(self, counts: Mapping[str, int]) -> None:
        for name in IGNORED:
            self.ignored[name] += max(0, counts.get(name, 0))

    def _start_frame(self, spec: HostSpec, *, replay: bool = False) -> Start:
        settings = self._settings
        number = (
            spec.pairing.phone_number.removeprefix("+")
            if isinstance(spec.pairing, PairByCode)
            else None
        )
        return Start(
            directory=str(spec.directory),
            device_store=DEVICE_STORE_NAME,
            resume_jid=spec.resume_jid,
            pair_number=number,
            device_name=spec.device_name,
            proxy_url=spec.proxy_url or settings.sandbox_proxy_url,
            root_key=settings.sandbox_root_key,
            spool_limit_bytes=settings.spool_limit_bytes,
            spool_segment_bytes=settings.spool_segment_bytes,
            spool_sync=settings.spool_sync,
            in_flight=settings.in_flight,
            drain_seconds=settings.drain_seconds,
            worker_id=spec.worker_id,
            epoch=spec.epoch,
            orphan_seconds=settings.orphan_seconds,
            # Drawn here, for forked processes might all draw the same.
            unreachable_seconds=settings.unreachable_seconds
            * random.uniform(1 - _SPREAD, 1 + _SPREAD),  # noqa: S311 - no secret
            memory_limit_bytes=settings.memory_limit_mebibytes * 1024 * 1024,
            memory_rest_seconds=settings.memory_rest_seconds,
            large_upload_bytes=settings.large_upload_mebibytes * 1024 * 1024,
            settings=spec.settings,
            replay=replay,
        )


def _made(directory: Path) -> str:
    """Make a session's directory unless it is there; returns its path without links."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return str(directory.resolve())
