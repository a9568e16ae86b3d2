"""Faults of processes: hosts, fork servers and workers are killed, frozen, drained, moved."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

import psutil

from gateway_worker.devkit.chaos.fleet import Fleet, ManagedWorker
from gateway_worker.devkit.chaos.history import ImpactKind
from gateway_worker.devkit.chaos.journal import Journal
from gateway_worker.devkit.chaos.plan import Injection
from gateway_worker.devkit.chaos.traffic import Traffic
from gateway_worker.devkit.services.loopback import LOOPBACK
from gateway_worker.devkit.worker import WorkerProcess

ORPHAN_SECONDS = 5.0
"""How long the hosts of a worker that is gone may live on (HOST_ORPHAN_SECONDS)."""
DRAIN_SECONDS = 60.0
DUPLICATES = 10
RIVAL_SECONDS = 30.0
SILENT_CONNECTIONS = 200
"""More than a worker keeps for its probes."""
ANSWER_SECONDS = 30.0


class WorkerFaults:
    """What can happen to the workers of a fleet.

    Args:
        fleet: The workers.
        sessions: All sessions, by place.
        at: Returns the sessions that are at a worker, as far as a backend knows.
        traffic: Sends commands.
        journal: Is told what is done.
    """

    def __init__(
        self,
        *,
        fleet: Fleet,
        sessions: tuple[str, ...],
        at: Callable[[str], Iterable[str]],
        traffic: Traffic,
        journal: Journal,
    ) -> None:
        self._fleet = fleet
        self._sessions = sessions
        self._at = at
        self._traffic = traffic
        self._journal = journal

    async def host_kill(self, injection: Injection) -> None:
        """Kill one session's host."""
        session_id = self._sessions[injection.session]
        found = await self._fleet.host_of(session_id)
        if found is None:
            self._journal.missed_target(injection, f"{session_id} has no host")
            return
        member, host = found
        at = time.time()
        with contextlib.suppress(psutil.Error):
            host.kill()
        self._journal.hit([session_id], ImpactKind.HOST_KILLED, at=at)
        self._journal.injected(injection, session=session_id, worker=member.name)

    async def zygote_kill(self, injection: Injection) -> None:
        """Kill a worker's fork server; its hosts die with it."""
        member = self._member(injection)
        sessions = await self._held(member)
        at = time.time()
        with contextlib.suppress(psutil.Error, RuntimeError):
            for zygote in member.process.zygotes():
                zygote.kill()
        self._journal.hit(sessions, ImpactKind.HOST_KILLED, at=at)
        self._journal.injected(injection, worker=member.name, sessions=len(sessions))

    async def inspection_kill(self, injection: Injection) -> None:
        """Kill what a worker has its files looked at by, if it has sent any; no session notices."""
        member = self._member(injection)
        with contextlib.suppress(psutil.Error, RuntimeError):
            for process in member.process.inspections():
                process.kill()
        self._journal.injected(injection, worker=member.name)

    async def worker_kill(self, injection: Injection) -> None:
        """Kill a worker with all its processes; it is started again at once."""
        member = self._member(injection)
        await self._kill(member, injection)
        member.want()

    async def worker_kill_away(self, injection: Injection) -> None:
        """The same, but it stays away until others have its sessions."""
        member = self._member(injection)
        sessions, at = await self._kill(member, injection)
        self._journal.lost(member.name, sessions, at=at)
        await asyncio.sleep(injection.seconds)
        member.want()

    async def worker_main_kill(self, injection: Injection) -> None:
        """Kill only a worker's own process; it is started again while its hosts may still run."""
        member = self._member(injection)
        await self._kill_main(member, injection)
        await asyncio.sleep(injection.seconds)
        member.want()

    async def worker_main_kill_away(self, injection: Injection) -> None:
        """The same, but it stays away until others have its sessions."""
        member = self._member(injection)
        sessions, at = await self._kill_main(member, injection)
        self._journal.lost(member.name, sessions, at=at)
        await asyncio.sleep(injection.seconds)
        member.want()

    async def worker_freeze(self, injection: Injection) -> None:
        """Freeze a worker's own process for longer than its lease."""
        member = self._member(injection)
        sessions, at = await self._held(member), time.time()
        member.signal_main(signal.SIGSTOP)
        try:
            await asyncio.sleep(injection.seconds)
        finally:
            member.signal_main(signal.SIGCONT)
        self._frozen(member, injection, sessions, at)

    async def machine_freeze(self, injection: Injection) -> None:
        """Freeze a worker with all its processes beyond its lease, as a machine that is paused."""
        member = self._member(injection)
        sessions, at = await self._held(member), time.time()
        member.signal_all(signal.SIGSTOP)
        self._journal.hit(sessions, ImpactKind.PAUSED, at=at, until=time.time())
        try:
            await asyncio.sleep(injection.seconds)
        finally:
            member.signal_all(signal.SIGCONT)
        self._frozen(member, injection, sessions, at)

    async def worker_rival(self, injection: Injection) -> None:
        """Start another worker in a worker's directory: it has to be refused."""
        member = self._member(injection)
        rival = member.process.rival(f"{member.name}-rival")
        try:
            await rival.start(wait_ready=False)
            async with asyncio.timeout(RIVAL_SECONDS):
                await _until_over(rival)
        except TimeoutError:
            self._journal.surprise(f"a second worker was not refused beside {member.name}")
        finally:
            await rival.kill()
        self._journal.injected(injection, worker=member.name)

    async def output_unread(self, injection: Injection) -> None:
        """Read nothing of what a worker prints, until its pipe is full and for a while."""
        member = self._member(injection)
        member.output.leave_unread()
        try:
            await asyncio.sleep(injection.seconds)
            await self._still_answers(member)
        finally:
            member.output.read()
        self._journal.injected(injection, worker=member.name, seconds=injection.seconds)

    async def probes_flooded(self, injection: Injection) -> None:
        """Open many connections to a worker's probes and say nothing."""
        member = self._member(injection)
        async with AsyncExitStack() as stack:
            for _ in range(SILENT_CONNECTIONS):
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(LOOPBACK, member.process.probe_port)
                    stack.callback(writer.close)
            await asyncio.sleep(injection.seconds)
            await self._still_answers(member)
        self._journal.injected(injection, worker=member.name, seconds=injection.seconds)

    async def worker_drain(self, injection: Injection) -> None:
        """Ask a worker to leave in good order, and start it again later."""
        member = self._member(injection)
        member.unwant()
        began = time.monotonic()
        member.signal_main(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_until_ended(member), DRAIN_SECONDS)
        if member.process.is_running:
            self._journal.surprise(f"{member.name} did not leave within {DRAIN_SECONDS:g} s")
            await self._kill(member, injection)
        self._journal.injected(
            injection, worker=member.name, seconds=round(time.monotonic() - began, 2)
        )
        await asyncio.sleep(injection.seconds)
        member.want()

    async def migrate(self, injection: Injection) -> None:
        """Move a session, to a worker of choice or of the gateway's choice."""
        session_id = self._sessions[injection.session]
        names = [member.name for member in self._fleet.workers]
        to = names[int(injection.dice * 2 * len(names)) // 2] if injection.dice < 1 / 2 else None
        command_id = await self._traffic.migrate(session_id, to=to)
        self._journal.injected(injection, session=session_id, to=to, command=command_id)

    async def duplicates(self, injection: Injection) -> None:
        """Publish some of the last commands once more."""
        dice = random.Random(injection.dice)  # noqa: S311 - no secret
        count = await self._traffic.repeat_recent(DUPLICATES, dice)
        self._journal.injected(injection, commands=count)

    async def _still_answers(self, member: ManagedWorker) -> None:
        """Ask whether a worker is alive until it says so; one that does not run is not asked."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                while member.process.is_running:
                    if (await member.process.probe("/live"))[0]:
                        return
                    await asyncio.sleep(0.2)
                return
        self._journal.surprise(f"{member.name} did not answer within {ANSWER_SECONDS:g} s")

    def _member(self, injection: Injection) -> ManagedWorker:
        return self._fleet.workers[injection.worker]

    async def _held(self, member: ManagedWorker) -> tuple[str, ...]:
        return tuple(await asyncio.to_thread(member.hosts))

    async def _kill(
        self, member: ManagedWorker, injection: Injection
    ) -> tuple[tuple[str, ...], float]:
        sessions, at = await self._held(member), time.time()
        member.unwant()
        await member.kill()
        self._worker_killed(member, sessions, at=at, until=time.time())
        self._journal.injected(injection, worker=member.name, sessions=sessions)
        return sessions, at

    async def _kill_main(
        self, member: ManagedWorker, injection: Injection
    ) -> tuple[tuple[str, ...], float]:
        sessions, at = await self._held(member), time.time()
        member.unwant()
        member.kill_main()
        self._worker_killed(member, sessions, at=at, until=at + ORPHAN_SECONDS)
        self._journal.injected(injection, worker=member.name, sessions=sessions)
        return sessions, at

    def _worker_killed(
        self, member: ManagedWorker, sessions: tuple[str, ...], *, at: float, until: float
    ) -> None:
        self._journal.hit(sessions, ImpactKind.WORKER_KILLED, at=at, until=until)
        without_host = set(self._at(member.name)) - set(sessions)
        self._journal.hit(without_host, ImpactKind.NOTES_GONE, at=at, until=until)

    def _frozen(
        self, member: ManagedWorker, injection: Injection, sessions: tuple[str, ...], at: float
    ) -> None:
        self._journal.hit(sessions, ImpactKind.FROZEN, at=at, until=time.time())
        self._journal.injected(injection, worker=member.name, sessions=sessions)


async def _until_ended(member: ManagedWorker) -> None:
    await _until_over(member.process)


async def _until_over(process: WorkerProcess) -> None:
    while process.is_running:  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(0.1)
