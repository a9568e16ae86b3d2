"""What a session has left on this machine's disk after it went to another worker (a service).

Messages that WhatsApp takes for delivered, and that no commit has covered, may still be in the
spool, and what is left of a history beside it: they are sent to the session's present owner, which
records them. Then the directory goes,
with the device's keys in it: if the session has been deleted, or if a copy that was made of them,
or by a later owner, has just been read and opened. Otherwise it stays, which is told as an error.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import structlog

from gateway_worker.errors import GatewayError
from gateway_worker.host_protocol.envelope import Event, HistoryPage
from gateway_worker.host_protocol.signals import Exited
from gateway_worker.media.arriving.intake import MediaIntake
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import Change, Committed
from gateway_worker.sessions.hosting import HostEvent, HostSpec, SessionHost, SpoolReplays
from gateway_worker.sessions.inbound.arrivals import passed_on
from gateway_worker.sessions.inbound.history import history_event
from gateway_worker.sessions.inbound.left_sends import LeftSends
from gateway_worker.sessions.inbound.quarantine import Quarantine
from gateway_worker.sessions.inbound.recording import InboundRecorder
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageKind, PeerMessages
from gateway_worker.sessions.ports import DeviceSnapshots, SessionRow, SessionStore
from gateway_worker.sessions.settings import host_settings
from gateway_worker.sessions.store.device_store import read_epoch
from gateway_worker.sessions.store.directory_moves import DirectoryMoves
from gateway_worker.sessions.store.store_files import (
    forget_local,
    has_history,
    has_linked_device,
    park,
    parked_session,
    pending_records,
    unused,
)

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 30.0
_REPLAY_SECONDS = 60.0


class _LastCopyError(Exception):
    """What is here is nowhere else."""


class OrphanSpools:
    """Clears the directories of sessions that other workers have.

    Args:
        worker_id: This worker.
        directory: The worker's own, in which `sessions/` is.
        launcher: Reads spools.
        sessions: Says who owns a session.
        snapshots: Gets the device store, unless it has a newer one.
        peer_messages: Sends late messages to the owner.
        held: Tells whether a session is here.
        media: Enters the files that came with messages.
        moves: Lets a session that comes wait for its directory; see `moves`.
        sends: Tells owners what became of sends; without it they are not told.
    """

    def __init__(  # noqa: PLR0913 - whatever a session may have left has its own port
        self,
        *,
        worker_id: str,
        directory: Path,
        launcher: SpoolReplays,
        sessions: SessionStore,
        snapshots: DeviceSnapshots,
        peer_messages: PeerMessages,
        held: Callable[[str], bool],
        media: MediaIntake | None = None,
        moves: DirectoryMoves | None = None,
        sends: LeftSends | None = None,
    ) -> None:
        self._worker_id = worker_id
        self._directory = directory / "sessions"
        self._parking = directory / "leftovers"
        self._launcher = launcher
        self._sessions = sessions
        self._snapshots = snapshots
        self._peer_messages = peer_messages
        self._held = held
        self._media = media
        self._moves = moves or DirectoryMoves()
        self._sends = sends
        self._busy = asyncio.Lock()
        self._kept: set[Path] = set()

    @property
    def kept(self) -> int:
        """How many directories cannot be cleared without losing the last copy of something."""
        return len(self._kept)

    async def run(self, stop: asyncio.Event) -> None:
        """Clear what is there, and look again now and then, until `stop` is set."""
        while not stop.is_set():
            for session_id in await asyncio.to_thread(self._found):
                if stop.is_set():
                    return
                await self.clear(session_id)
            await self._send_parked()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await stop.wait()

    async def clear(self, session_id: str, copied: int | None = None) -> None:
        """Clear one session's directory, unless the session is here. Never raises.

        Args:
            session_id: Whose it is.
            copied: The epoch of a store that has been copied as it is; None if it may not have.
        """
        async with self._busy:
            try:
                parked = await self._park(session_id)
            except (GatewayError, OSError) as error:  # the next look tries again
                log.warning("orphan_spools.kept", session_id=session_id, reason=repr(error))
                return
            if parked is not None:
                await self._attempt(session_id, parked, copied)

    async def _send_parked(self) -> None:
        for directory in await asyncio.to_thread(_directories, self._parking):
            async with self._busy:
                await self._attempt(parked_session(directory), directory)

    def _found(self) -> list[str]:
        names = (path.name for path in _directories(self._directory))
        return [name for name in names if not self._held(name)]

    async def _park(self, session_id: str) -> Path | None:
        """Move a directory aside: the session may come back at any moment, and have a new one.

        Not if it has the only copy of a device, which then stays where it is looked for, nor under
        a host that runs.
        """
        directory = self._directory / session_id
        if not directory.is_dir():
            return None
        row = await self._sessions.get(session_id)
        if self._held(session_id) or (row is not None and row.worker_id == self._worker_id):
            return None
        if row is None and not await self._sessions.was_deleted(session_id):
            self._keep(session_id, directory, "orphan_spools.unknown_session")
            return None
        if row is not None and await asyncio.to_thread(self._is_last, row, directory):
            self._keep(session_id, directory, "orphan_spools.last_copy")
            return directory if await asyncio.to_thread(_has_more, directory) else None
        with self._moves.moving(session_id):
            if self._held(session_id):  # looked at in the same step: later ones wait for the move
                return None
            return await asyncio.to_thread(_move, directory, self._parking)

    def _is_last(self, row: SessionRow, directory: Path) -> bool:
        """Whether a device's keys are here and, as no copies are made, nowhere else."""
        return (
            not self._snapshots.are_portable
            and not _is_former(row, directory)
            and has_linked_device(directory)
        )

    def _keep(self, session_id: str, directory: Path, event: str) -> None:
        """Say, once, that a directory is not cleared, and why."""
        if directory not in self._kept:
            self._kept.add(directory)
            log.error(event, session_id=session_id, directory=str(directory))

    async def _attempt(self, session_id: str, directory: Path, copied: int | None = None) -> None:
        try:
            await self._clear(session_id, directory, copied)
        except _LastCopyError:
            self._keep(session_id, directory, "orphan_spools.last_copy")
        except (GatewayError, TimeoutError, OSError) as error:  # the next look tries again
            log.warning("orphan_spools.kept", session_id=session_id, reason=repr(error))
        except Exception:
            log.exception("orphan_spools.failed", session_id=session_id)

    async def _clear(self, session_id: str, directory: Path, copied: int | None) -> None:
        row = await self._sessions.get(session_id)
        if row is not None and await asyncio.to_thread(_is_former, row, directory):
            log.info("orphan_spools.former", session_id=session_id)
            row = None  # that of a deleted session, whose namesake has nothing to do with it
        waiting = await asyncio.to_thread(pending_records, directory)
        if row is None:
            log.info("orphan_spools.of_deleted", session_id=session_id, records=waiting)
        else:
            await self._tell_sends(row, directory)  # first: receipts of them may be in the spool
            if waiting or await asyncio.to_thread(has_history, directory):
                await self._send_on(row, directory)
            await self._send_quarantined(row, Quarantine(directory))
            await self._secure(row, directory, copied)
        if not await asyncio.to_thread(forget_local, directory):
            raise TimeoutError("a host still uses it")
        self._kept.discard(directory)
        log.info("orphan_spools.cleared", session_id=session_id)

    async def _tell_sends(self, row: SessionRow, directory: Path) -> None:
        """Tell the owner what became of sends; before the directory goes, for it alone knows."""
        if self._sends is not None:
            epoch = await asyncio.to_thread(read_epoch, directory) or row.first_epoch
            await self._sends.tell(row, directory, epoch=epoch)

    async def _secure(self, row: SessionRow, directory: Path, copied: int | None) -> None:
        """Make sure that the device store is not needed here: a later copy has just been opened.

        Raises:
            DependencyError: That cannot be found out now, or the store cannot be copied.
        """
        if not await asyncio.to_thread(has_linked_device, directory):
            return
        session_id = row.session_id
        epoch = await asyncio.to_thread(read_epoch, directory) or row.first_epoch
        if await self._snapshots.holds(session_id, epoch=epoch if epoch == copied else epoch + 1):
            return
        # It may be the only one: its owner died before the first copy was made.
        stored = await self._snapshots.save(session_id, directory, epoch=epoch)
        if not (stored and await self._snapshots.holds(session_id, epoch=epoch)):
            raise _LastCopyError

    async def _send_quarantined(self, row: SessionRow, quarantine: Quarantine) -> None:
        """Send the owner what the database has refused here: nobody else has it."""
        events = await asyncio.to_thread(quarantine.read)
        async with asyncio.timeout(_REPLAY_SECONDS):
            for event in events:
                body = PeerMessage(
                    kind=PeerMessageKind.FORWARDED,
                    session_id=row.session_id,
                    epoch=row.epoch,
                    events=(event,),
                ).encode()
                await self._peer_messages.send_peer_message(
                    PeerMessageKind.FORWARDED, worker_id=row.worker_id or "", body=body
                )
        if events:
            await asyncio.to_thread(quarantine.drop, events)
            log.info("orphan_spools.refused_sent_on", session_id=row.session_id, events=len(events))

    async def _send_on(self, row: SessionRow, directory: Path) -> None:
        """Send what the spool holds to the session's owner; returns when all of it is sent."""
        sending = _Sending(
            row=row, directory=directory, peer_messages=self._peer_messages, media=self._media
        )
        spec = HostSpec(
            session_id=row.session_id,
            directory=directory,
            resume_jid=None,
            pairing=row.pairing,
            device_name=row.device_name,
            settings=host_settings(row.settings),
        )
        sending.host = host = await self._launcher.replay(spec, sending.on_event)
        try:
            async with asyncio.timeout(_REPLAY_SECONDS):
                await sending.done.wait()
        finally:
            await sending.give_up()  # nothing of it goes on without anybody who waits for it
            await host.stop()
        log.info("orphan_spools.sent_on", session_id=row.session_id, events=sending.sent)
        if await asyncio.to_thread(_has_more, directory):
            raise TimeoutError("the spool, or the history, was not read to its end")


def _has_more(directory: Path) -> bool:
    """Whether there is anything that its owner has not been told."""
    return bool(pending_records(directory)) or has_history(directory)


def _is_former(row: SessionRow, directory: Path) -> bool:
    """Whether a directory was left by a deleted session of the same name."""
    epoch = read_epoch(directory)
    return epoch is not None and epoch < row.first_epoch


def _move(directory: Path, parking: Path) -> Path:
    """Move a directory aside that no host uses; raises OSError."""
    with unused(directory) as free:
        if not free:
            raise TimeoutError("a host still uses it")
        return park(directory, parking)


def _directories(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir())


class _Sending:
    """Sends the arrivals of one spool to the session's owner instead of recording them."""

    def __init__(
        self,
        *,
        row: SessionRow,
        directory: Path,
        peer_messages: PeerMessages,
        media: MediaIntake | None,
    ) -> None:
        self._row = row
        self._peer_messages = peer_messages
        self._inbound = InboundRecorder(
            session_id=row.session_id,
            source=f"/workers/{row.worker_id}",
            record=self._record,
            epoch=row.epoch,
            quarantine=Quarantine(directory).keep,
            media=media,
        )
        self._tasks: set[asyncio.Task[Committed]] = set()
        # One after the other, also over an outage of the broker: the end of a change is taken for
        # the end of all before it, and what is acknowledged is gone from the disk.
        self._turn = asyncio.Lock()
        self.host: SessionHost | None = None
        self.done = asyncio.Event()
        self.sent = 0

    async def on_event(self, event: HostEvent) -> None:
        """Take an event of the host that reads the spool."""
        if isinstance(event, Exited):
            self.done.set()
        elif isinstance(event, Event) and self.host is not None:
            self._inbound.record(event, self.host.acknowledge)
        elif isinstance(event, HistoryPage) and self.host is not None:
            self._send_history(event, self.host)

    def _send_history(self, page: HistoryPage, host: SessionHost) -> None:
        row = self._row
        try:
            event = history_event(
                page, source=f"/workers/{row.worker_id}", session_id=row.session_id
            )
        except ValueError as error:
            log.warning("history.unsupported", session_id=row.session_id, reason=str(error))
            host.take_history(page.page)
            return

        def sent(done: "asyncio.Future[Committed]") -> None:
            if not done.cancelled():
                host.take_history(page.page)

        self._inbound.record_arrival(event).add_done_callback(sent)

    async def give_up(self) -> None:
        """Send nothing more; what is not sent is not acknowledged, so the spool keeps it."""
        self.host = None
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _record(self, change: Change) -> "asyncio.Future[Committed]":
        task = asyncio.create_task(self._send(change), name=f"late:{self._row.session_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send(self, change: Change) -> Committed:
        body = PeerMessage(
            kind=PeerMessageKind.FORWARDED,
            session_id=self._row.session_id,
            epoch=self._row.epoch,
            events=passed_on(change),
        ).encode()
        async with self._turn:
            await until_answered(
                lambda: self._peer_messages.send_peer_message(
                    PeerMessageKind.FORWARDED, worker_id=self._row.worker_id or "", body=body
                ),
                name="orphan_spools.send",
            )
        self.sent += len(change.events)
        return Committed()
