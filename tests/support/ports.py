"""Ports for tests: some refuse to be asked, so that a fake says only what it plays; some are quiet.

`Unasked...` is no fake: whoever asks it has failed the test. What plays a part of a port derives
from it and overrides that part, and the type checker compares both with the port. `Quiet...`
stands for ports that only take and never answer, where a test does not look at what was taken.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from gateway_contracts import SessionState, StatusReason
from gateway_worker.commands.call_answers import answer_to
from gateway_worker.commands.deferrals import BulkStore, DeferredStore, EndedRow, RowBody, Waiting
from gateway_worker.commands.forwarding import CommandForwarder
from gateway_worker.commands.ports import Delivery, Entry, InboxStore, Postponer, Received
from gateway_worker.history.erasing import ObjectRemoval
from gateway_worker.host_protocol.methods.method import Method, R
from gateway_worker.sessions.build import SessionPorts, Sessions, build_sessions
from gateway_worker.sessions.changes import Change, Committed, MessageRow, TimerRow
from gateway_worker.sessions.deferred import Bulk
from gateway_worker.sessions.hosting import (
    HostLauncher,
    HostListener,
    HostSpec,
    SessionHost,
    SpoolReplays,
)
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.sessions.observers import SessionObserver
from gateway_worker.sessions.ownership.ports import DeadWorkers, Intake, SessionsHere
from gateway_worker.sessions.peer_messages import PeerMessages
from gateway_worker.sessions.ports import (
    CommandBindings,
    CurrentQr,
    DeviceSnapshots,
    EventRelay,
    MessageStore,
    PastMessages,
    Recorder,
    RouteCache,
    SessionRow,
    SessionStore,
)
from gateway_worker.sessions.send_journal import SendJournals, SendTrace


def unasked(port: object, what: str) -> NoReturn:
    """Fail the test: it does not expect this call."""
    raise AssertionError(f"{type(port).__name__}.{what} is not expected to be called here")


class UnaskedSessions(SessionStore):
    """A sessions table that nobody reads or writes."""

    async def create(self, row: SessionRow) -> SessionRow | None:
        """Fail."""
        unasked(self, "create")

    async def get(self, session_id: str) -> SessionRow | None:
        """Fail."""
        unasked(self, "get")

    async def was_deleted(self, session_id: str) -> bool:
        """Fail."""
        unasked(self, "was_deleted")

    async def owned_by(self, worker_id: str) -> Sequence[SessionRow]:
        """Fail."""
        unasked(self, "owned_by")

    async def claim(self, session_id: str, worker_id: str) -> SessionRow | None:
        """Fail."""
        unasked(self, "claim")

    async def take_over(
        self, worker_id: str, *, limit: int, linked: bool = True
    ) -> Sequence[SessionRow]:
        """Fail."""
        unasked(self, "take_over")

    async def stranded(self, *, after_seconds: float, limit: int) -> Sequence[SessionRow]:
        """Fail."""
        unasked(self, "stranded")

    async def strand(
        self, session_id: str, worker_id: str, *, after_seconds: float
    ) -> SessionRow | None:
        """Fail."""
        unasked(self, "strand")

    async def is_first(self, worker_id: str) -> bool:
        """Fail."""
        unasked(self, "is_first")

    async def orphans(self) -> int:
        """Fail."""
        unasked(self, "orphans")

    async def fair_share(self, worker_id: str) -> int:
        """Fail."""
        unasked(self, "fair_share")

    async def marker_left(self, session_id: str, *, marker_epoch: int) -> None:
        """Fail."""
        unasked(self, "marker_left")

    async def markers_passed(self, session_id: str, *, epoch: int, up_to: int) -> bool:
        """Fail."""
        unasked(self, "markers_passed")

    async def place(self, *, without: str) -> str | None:
        """Fail."""
        unasked(self, "place")

    async def takes(self, worker_id: str) -> bool:
        """Fail."""
        unasked(self, "takes")

    async def room(self) -> int:
        """Fail."""
        unasked(self, "room")


class UnaskedRecorder(Recorder):
    """Nothing is written."""

    def record(self, change: Change) -> "asyncio.Future[Committed]":
        """Fail."""
        unasked(self, "record")


class UnaskedInbox(InboxStore):
    """No command is entered."""

    async def answers(self) -> bool:
        """Fail."""
        unasked(self, "answers")

    async def enter(
        self, commands: Sequence[Received], *, briefly: bool = False
    ) -> Sequence[Entry]:
        """Fail."""
        unasked(self, "enter")

    async def look(self, command: Received) -> Entry:
        """Fail."""
        unasked(self, "look")

    async def suspend(
        self,
        command_id: str,
        *,
        session_id: str,
        worker_id: str | None = None,
        epoch: int | None = None,
        stays_interrupted: bool = False,
    ) -> None:
        """Fail."""
        unasked(self, "suspend")


class UnaskedDeferred(DeferredStore):
    """Nothing is put off."""

    async def due(
        self, session_ids: Sequence[str], *, until: datetime, limit: int
    ) -> Sequence[Waiting]:
        """Fail."""
        unasked(self, "due")

    async def page(
        self, session_id: str, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Waiting]:
        """Fail."""
        unasked(self, "page")

    async def get(self, session_id: str, command_id: str) -> Waiting | None:
        """Fail."""
        unasked(self, "get")


class UnaskedBulks(BulkStore):
    """There are no bulks."""

    async def load(self, session_id: str, load: str, rows: Sequence[RowBody]) -> None:
        """Fail."""
        unasked(self, "load")

    async def open_bulks(self, session_ids: Sequence[str]) -> Sequence[tuple[str, Bulk]]:
        """Fail."""
        unasked(self, "open_bulks")

    async def get(self, session_id: str, bulk_id: str) -> Bulk | None:
        """Fail."""
        unasked(self, "get")

    async def rows(
        self, session_id: str, load: str, *, after: int, limit: int
    ) -> Sequence[RowBody]:
        """Fail."""
        unasked(self, "rows")

    async def begun(self, session_id: str, bulk: Bulk) -> Sequence[RowBody]:
        """Fail."""
        unasked(self, "begun")

    async def sweep(self, session_id: str, bulk: Bulk, *, epoch: int, limit: int) -> bool:
        """Fail."""
        unasked(self, "sweep")

    async def cancel_to(
        self,
        session_id: str,
        bulk: Bulk,
        *,
        to: Sequence[str],
        but: Collection[int],
        epoch: int,
    ) -> int:
        """Fail."""
        unasked(self, "cancel_to")

    async def ended(
        self, session_id: str, bulk_id: str, *, first: int, last: int
    ) -> Sequence[EndedRow]:
        """Fail."""
        unasked(self, "ended")

    async def aged(
        self, *, keep_seconds: float, limit: int
    ) -> Sequence[tuple[str, str, str | None]]:
        """Fail."""
        unasked(self, "aged")

    async def forget(self, bulks: Sequence[tuple[str, str, str | None]]) -> None:
        """Fail."""
        unasked(self, "forget")

    async def prune_rows(self, *, before: str, limit: int) -> int:
        """Fail."""
        unasked(self, "prune_rows")


class UnaskedPublisher(Postponer, CommandForwarder):
    """No command is sent anywhere."""

    async def retry_later(
        self, delivery: Delivery, *, seconds: float, attempts: int, within: float | None = None
    ) -> None:
        """Fail."""
        unasked(self, "retry_later")

    async def pass_on(
        self, delivery: Delivery, *, worker_id: str, stage: int | None, hop: int
    ) -> None:
        """Fail."""
        unasked(self, "pass_on")


class UnaskedRemoval(ObjectRemoval):
    """A bucket from which nothing is removed."""

    async def delete(self, *keys: str) -> None:
        """Fail."""
        unasked(self, "delete")


class UnaskedMessages(MessageStore):
    """A history that nobody reads."""

    async def timers(self, session_id: str) -> Sequence[TimerRow]:
        """Fail."""
        unasked(self, "timers")

    async def find(
        self, session_id: str, *, chats: Sequence[str], message_id: str
    ) -> Sequence[MessageRow]:
        """Fail."""
        unasked(self, "find")

    async def knows(self, session_id: str, *, chats: Sequence[str]) -> bool:
        """Fail."""
        unasked(self, "knows")


class UnaskedBindings(CommandBindings):
    """Bindings that nobody makes or removes."""

    async def bind(self, session_id: str) -> None:
        """Fail."""
        unasked(self, "bind")

    async def unbind(self, session_id: str) -> None:
        """Fail."""
        unasked(self, "unbind")

    async def unbind_from(self, session_id: str, worker_id: str) -> None:
        """Fail."""
        unasked(self, "unbind_from")

    async def unbind_disowned(self, session_id: str) -> None:
        """Fail."""
        unasked(self, "unbind_disowned")

    def disown(self, session_id: str) -> None:
        """Fail."""
        unasked(self, "disown")

    async def is_listening(self, worker_id: str) -> bool:
        """Fail."""
        unasked(self, "is_listening")


class UnaskedSnapshots(DeviceSnapshots):
    """Copies that nobody makes or wants, although they could be had."""

    are_needed = are_portable = True

    async def save(
        self, session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> bool:
        """Fail."""
        unasked(self, "save")

    async def holds(self, session_id: str, *, epoch: int) -> bool:
        """Fail."""
        unasked(self, "holds")

    async def restore(self, session_id: str, directory: Path, *, replace: bool = False) -> bool:
        """Fail."""
        unasked(self, "restore")

    async def delete(self, session_id: str) -> None:
        """Fail."""
        unasked(self, "delete")


class UnaskedJournals(SendJournals):
    """Journals that nobody reads."""

    async def look_up(
        self,
        directory: Path,
        command_id: str,
        *,
        worker_id: str,
        epoch: int,
        began: datetime | None = None,
    ) -> SendTrace:
        """Fail."""
        unasked(self, "look_up")


class UnaskedLauncher(HostLauncher, SpoolReplays):
    """Nobody starts a host."""

    async def launch(self, spec: HostSpec, listener: HostListener) -> SessionHost:
        """Fail."""
        unasked(self, "launch")

    async def replay(self, spec: HostSpec, listener: HostListener) -> SessionHost:
        """Fail."""
        unasked(self, "replay")


class UnaskedHost(SessionHost):
    """A host that nobody asks for anything."""

    pid = 1

    async def request(
        self,
        call: Method[R],
        *,
        command_id: str | None = None,
        seconds: float | None = None,
    ) -> R:
        """Fail."""
        unasked(self, "request")

    async def stop(self) -> None:
        """Fail."""
        unasked(self, "stop")

    def kill(self) -> None:
        """Fail."""
        unasked(self, "kill")

    def acknowledge(self, record: int) -> None:
        """Fail."""
        unasked(self, "acknowledge")

    def take_history(self, page: str) -> None:
        """Fail."""
        unasked(self, "take_history")


class UnaskedPastMessages(PastMessages):
    """Nobody has a history."""

    async def write(self, session_id: str, *, epoch: int, rows: Sequence[MessageRow]) -> bool:
        """Fail."""
        unasked(self, "write")

    async def erased(self, session_id: str, ids: Collection[str]) -> Mapping[str, datetime]:
        """Fail."""
        unasked(self, "erased")


class UnaskedPeerMessages(PeerMessages):
    """Nobody has anything to say to another worker."""

    async def send_peer_message(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Fail."""
        unasked(self, "send_peer_message")


class UnaskedDeadWorkers(DeadWorkers):
    """Nobody asks for the dead."""

    lease_seconds = 15.0

    async def dead_with_leftovers(self) -> Sequence[str]:
        """Fail."""
        unasked(self, "dead_with_leftovers")

    async def long_gone(self) -> Sequence[str]:
        """Fail."""
        unasked(self, "long_gone")

    async def forget(self, worker_id: str) -> bool:
        """Fail."""
        unasked(self, "forget")


class UnaskedIntake(Intake):
    """Nobody steers the consumer."""

    attended: Collection[str] = ()

    def attend(self, worker_id: str) -> None:
        """Fail."""
        unasked(self, "attend")

    async def dismiss(self, worker_id: str) -> None:
        """Fail."""
        unasked(self, "dismiss")

    async def remove_queue(self, worker_id: str) -> bool:
        """Fail."""
        unasked(self, "remove_queue")

    async def suspend(self) -> None:
        """Fail."""
        unasked(self, "suspend")

    def reinstate(self) -> None:
        """Fail."""
        unasked(self, "reinstate")


class UnaskedSessionsHere(SessionsHere):
    """A worker whose sessions nobody asks for."""

    has_room = is_portable = True
    stranded_seconds = 30.0

    def is_held(self, session_id: str) -> bool:
        """Fail."""
        unasked(self, "is_held")

    async def announce_stranded(self, row: SessionRow) -> None:
        """Fail."""
        unasked(self, "announce_stranded")

    async def adopt_taken(self, rows: Sequence[SessionRow]) -> None:
        """Fail."""
        unasked(self, "adopt_taken")


class QuietRouteCache(RouteCache):
    """The cache's table, which only backends read."""

    async def put(
        self, session_id: str, *, worker_id: str, state: SessionState, epoch: int
    ) -> None:
        """Take it."""

    async def put_qr(self, session_id: str, qr: CurrentQr | None) -> None:
        """Take it."""

    async def remove(self, session_id: str) -> None:
        """Take it."""


class QuietRelay(EventRelay):
    """A relay of a worker whose sessions have left no events."""

    is_behind = False

    async def adopt(self, session_ids: Sequence[str]) -> None:
        """Find nothing."""

    async def adopt_strays(self) -> None:
        """Find nothing."""


class QuietObserver(SessionObserver):
    """Counts nothing."""

    def message_confirmed(self, seconds: float) -> None:
        """Take it."""

    def reachout_refused(self) -> None:
        """Take it."""

    def host_restarted(self) -> None:
        """Take it."""

    def host_exited(self, *, expected: bool) -> None:
        """Take it."""

    def disconnected(self, reason: StatusReason) -> None:
        """Take it."""

    def library_stopped(self) -> None:
        """Take it."""

    def link_restored(self) -> None:
        """Take it."""

    def message_arrived(self) -> None:
        """Take it."""

    def arrival_unsupported(self) -> None:
        """Take it."""

    def call_rejected(self, *, has_left: bool) -> None:
        """Take it."""

    def notice_dropped(self) -> None:
        """Take it."""


def session_ports(recorder: Recorder) -> SessionPorts:
    """Return what sessions need, of which only the recorder is asked; replace what else is."""
    launcher = UnaskedLauncher()
    return SessionPorts(
        launcher=launcher,
        spools=launcher,
        recorder=recorder,
        relay=QuietRelay(),
        sessions=UnaskedSessions(),
        bindings=UnaskedBindings(),
        route_cache=QuietRouteCache(),
        snapshots=UnaskedSnapshots(),
        journals=UnaskedJournals(),
        peer_messages=UnaskedPeerMessages(),
        observer=QuietObserver(),
        answer_call=answer_to,
        past=UnaskedPastMessages(),
    )


def sessions_on(
    ports: SessionPorts,
    *,
    worker_id: str,
    directory: Path,
    capacity: int = 10,
    limits: SessionLimits | None = None,
) -> Sessions:
    """Return the sessions of a worker that holds its lease for ever."""
    sessions = build_sessions(
        ports,
        worker_id=worker_id,
        data_directory=directory,
        capacity=capacity,
        limits=limits,
    )
    sessions.lease_state.extend(float("inf"))
    return sessions
