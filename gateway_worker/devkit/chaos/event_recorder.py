"""Collects what a backend and the phones see, as the auditor wants it."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway_contracts import (
    CommandFailed,
    CommandResolved,
    CommandSucceeded,
    ContactContent,
    Content,
    GroupInviteContent,
    GroupParticipants,
    LocationContent,
    MediaFailed,
    MediaReady,
    MessageReceipt,
    MessageReceived,
    MessageUndecryptable,
    Participant,
    ParticipantsChange,
    SentInfo,
    SessionEventEnvelope,
    SessionQr,
    SessionState,
    SessionStatus,
    StatusInfo,
    TextContent,
    Topology,
)
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.chaos.contents import is_damaged, label_of
from gateway_worker.devkit.chaos.history import EventSeen, Kind, SeenByPhone
from gateway_worker.devkit.chaos.labelled_files import LabelledFiles
from gateway_worker.devkit.received import ReceivedEvent
from gateway_worker.sandbox.control.client import SandboxClient
from gateway_worker.sandbox.control.models import Poll
from gateway_worker.sandbox.phones.values import ReceiptKind

_CHANNEL: Final = "@newsletter"
_COME_OR_GONE: Final = frozenset({ParticipantsChange.JOINED, ParticipantsChange.LEFT})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetup:
    """A session and the phones that it has to do with, by their numbers.

    Two contacts, because a library that writes to a device and hears from it in the same instant
    sometimes uses a key twice.

    Attributes:
        account: The account that the session is linked to.
        reader: Whom the session writes to.
        writer: Who writes to the session.
        guest: Who comes into a group of the three and goes.
    """

    session_id: str
    account: str
    reader: str
    writer: str
    guest: str

    @property
    def phones(self) -> tuple[str, ...]:
        """All of them."""
        return (self.account, self.reader, self.writer, self.guest)


class EventRecorder:
    """What has been seen so far.

    Args:
        files: What is sent and has no text.
        path: Gets a JSON line for each event, without texts; for whoever looks into a failed run.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        phones: SandboxClient,
        setups: Sequence[SessionSetup],
        files: LabelledFiles,
        path: Path,
    ) -> None:
        self._files = files
        self._backend = backend
        self._phones = phones
        self._setups = tuple(setups)
        self._file = path.open("w")
        self._positions: dict[tuple[str, str], int] = {}
        self.events_seen: list[EventSeen] = []
        self.seen_by_phones: list[SeenByPhone] = []
        self.confirmed: dict[tuple[str, str], float] = {}
        self.ended: set[str] = set()
        self.failed: set[str] = set()
        self.received: set[tuple[str, str]] = set()
        self.files_ended: set[tuple[str, str]] = set()
        self._last_status: dict[str, EventSeen] = {}
        self.last_event_at = time.monotonic()
        backend.on_arrival(self._on_arrival)

    @property
    def keys(self) -> frozenset[str]:
        """Where files are, as events have said."""
        return frozenset(told.key for told in self.events_seen if told.key)

    def close(self) -> None:
        """Write out what is left."""
        self._file.close()

    def state(self, session_id: str) -> SessionState | None:
        """Return the state that a session has told last."""
        told = self._last_status.get(session_id)
        return None if told is None else told.state

    def worker(self, session_id: str) -> str:
        """Return the worker that a session has told last; empty if it has told none."""
        told = self._last_status.get(session_id)
        return "" if told is None else told.worker

    def at(self, worker_id: str) -> list[str]:
        """Return the sessions that have told last that they are at a worker."""
        return [told.session_id for told in self._last_status.values() if told.worker == worker_id]

    async def look(self) -> None:
        """Ask all phones for what is new."""
        for setup in self._setups:
            for number in (setup.reader, setup.writer):
                await self._read_inbox(setup, number)
            for number in (setup.writer, setup.guest):
                await self._read_receipts(setup, number)

    async def reused_keys(self) -> int:
        """Return how many messages came to the phones under a key that had been used before."""
        readers = [
            number for setup in self._setups for number in (setup.reader, setup.writer, setup.guest)
        ]
        return sum([(await self._phones.phone(number)).reused_keys for number in readers])

    async def keep_looking(self, *, every_seconds: float = 4.0) -> None:
        """Ask again and again, for ever."""
        while True:
            await asyncio.sleep(every_seconds)
            await self.look()

    def _on_arrival(self, arrival: ReceivedEvent) -> None:
        if not isinstance(arrival.event, SessionEventEnvelope):
            return
        told = seen_in(arrival.event, came=time.time(), routing_key=arrival.routing_key)
        self.events_seen.append(told)
        self.last_event_at = time.monotonic()
        self._file.write(json.dumps(_line(told)) + "\n")
        if told.kind in {Kind.SUCCEEDED, Kind.FAILED} and not told.repeated:
            self.ended.add(told.command_id)
            if told.kind is Kind.FAILED:
                self.failed.add(told.command_id)
        elif told.kind is Kind.RECEIVED:
            self.received.add((told.session_id, told.message_id))
        elif told.kind in {Kind.FILE_READY, Kind.FILE_FAILED}:
            self.files_ended.add((told.session_id, told.message_id))
        elif told.state is not None:
            known = self._last_status.get(told.session_id, told)
            if (told.sequence or 0) >= (known.sequence or 0):
                self._last_status[told.session_id] = told

    async def _read_inbox(self, setup: SessionSetup, number: str) -> None:
        key = (number, "inbox")
        page = await self._phones.inbox(number, Poll(since=self._positions.get(key, 0)))
        self._positions[key] = page.next
        for message in page.items:
            is_post = message.chat.endswith(_CHANNEL)  # of a channel that only the account writes
            if message.sender_number != setup.account and not is_post:
                continue  # another member of a group
            seen = SeenByPhone(
                session_id=setup.session_id,
                message_id=message.message_id,
                text=await label_of(self._phones, self._files, number, message),
                at=message.received_at.timestamp(),
                asked_again=message.asked_again > 0,
                damaged=is_damaged(self._files, message),
                about=message.target_id or "",
                phone=number,
            )
            self.seen_by_phones.append(seen)

    async def _read_receipts(self, setup: SessionSetup, number: str) -> None:
        key = (number, "receipts")
        page = await self._phones.receipts(number, Poll(since=self._positions.get(key, 0)))
        self._positions[key] = page.next
        for receipt in page.items:
            is_companion = ":" in receipt.sender.partition("@")[0]
            if receipt.kind is ReceiptKind.DELIVERED and is_companion:
                for message_id in receipt.message_ids:
                    self.confirmed.setdefault(
                        (setup.session_id, message_id), receipt.sent_at.timestamp()
                    )


def seen_in(
    event: SessionEventEnvelope, *, came: float, routing_key: str | None = None
) -> EventSeen:
    """Return what an event tells the auditor that came at a moment, under a key if one is given."""
    own_key = Topology.event_key(event.type, event.subject)
    more: Mapping[str, object]
    match event:
        case CommandSucceeded() | CommandFailed() | CommandResolved():
            more = _outcome(event)
        case MessageReceived(data=data):
            text = text_of(data.content)
            more = {"kind": Kind.RECEIVED, "message_id": data.message_id, "text": text}
        case MediaReady() | MediaFailed():
            more = _file(event)
        case MessageReceipt(data=data):
            more = {
                "kind": Kind.RECEIPT,
                "message_id": data.message_id,
                "by": number_of(data.participant),
                "who": data.participant.jid,
                "status": data.status.value,
                "client_ref": data.client_ref or "",
            }
        case GroupParticipants(data=data) if data.change in _COME_OR_GONE:
            more = {"kind": Kind.MEMBERS, "message_id": data.members_version or ""}
        case MessageUndecryptable(data=data):
            more = {"kind": Kind.UNDECRYPTABLE, "message_id": data.message_id}
        case SessionStatus(data=data):
            more = {
                "kind": Kind.STATUS,
                "state": data.state,
                "reason": data.reason,
                "worker": data.worker,
            }
        case SessionQr():
            more = {"kind": Kind.QR}
        case _:
            more = {"kind": Kind.OTHER}
    return EventSeen(
        event_id=event.id,
        session_id=event.subject,
        sequence=None if event.sequence is None else int(event.sequence),
        at=event.time.timestamp(),
        came=came,
        command_id=event.correlationid or "",
        is_routed=routing_key in {None, own_key},
        **more,  # type: ignore[arg-type]
    )


def number_of(somebody: Participant) -> str:
    """Return somebody's number; empty if it is not known."""
    return (somebody.phone_number or "").removeprefix("+")


def text_of(content: Content) -> str:
    """Return what a message says, or what is written to what it brings; empty if that is nothing.

    These are what `contents` puts labels into.
    """
    match content:
        case TextContent(text=text):
            return text
        case LocationContent(place=place):
            return place or ""
        case ContactContent(cards=cards):
            return cards[0].display_name or "" if cards else ""
        case GroupInviteContent(caption=caption):
            return caption or ""
        case _:
            return ""


def _outcome(event: CommandSucceeded | CommandFailed | CommandResolved) -> Mapping[str, object]:
    """Return what the end of a command tells, or what was found out about it later."""
    if isinstance(event, CommandFailed):
        failed = event.data
        if failed.id_conflict:
            return {"kind": Kind.CONFLICT, "code": failed.error.code.value}
        return {
            "kind": Kind.FAILED,
            "repeated": failed.repeated,
            "code": failed.error.code.value,
            "message_id": failed.message_id or "",
            "client_ref": failed.client_ref or "",
        }
    result = event.data.result
    sent, left_out = "", 0
    if isinstance(result, SentInfo | StatusInfo):
        sent, left_out = result.message_id, result.devices_left_out
    if isinstance(event, CommandResolved):
        named = event.data.client_ref or ""
        return {"kind": Kind.RESOLVED, "message_id": sent, "client_ref": named}
    return {
        "kind": Kind.SUCCEEDED,
        "client_ref": event.data.client_ref or "",
        "repeated": event.data.repeated,
        "message_id": sent,
        "left_out": left_out,
    }


def _file(event: MediaReady | MediaFailed) -> Mapping[str, object]:
    """Return what the end of a file tells."""
    media = event.data.media
    return {
        "kind": Kind.FILE_READY if isinstance(event, MediaReady) else Kind.FILE_FAILED,
        "message_id": event.data.message_id,
        "sha256": media.sha256 or "",
        "key": media.key or "",
        "code": "" if media.error is None else media.error.code.value,
    }


def _line(told: EventSeen) -> dict[str, object]:
    names = ("session_id", "sequence", "at", "kind", "command_id", "code", "repeated")
    more = ("message_id", "state", "reason", "worker", "event_id")
    values = {name: getattr(told, name) for name in (*names, *more)}
    return {name: value for name, value in values.items() if value not in ("", None, False)}
