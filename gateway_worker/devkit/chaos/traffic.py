"""Messages in both directions, all the time, and the book of what was written."""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import structlog

from gateway_contracts import (
    BulkCreate,
    BulkCreateData,
    BulkRow,
    BulkStop,
    CommandEnvelope,
    ContactCheck,
    ContactCheckData,
    MessageSend,
    MessageSendData,
    SessionMigrate,
    SessionMigrateData,
    StatusPost,
    TextToSend,
    new_id,
    utc_now,
)
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.chaos.contents import write
from gateway_worker.devkit.chaos.event_recorder import SessionSetup
from gateway_worker.devkit.chaos.habits import Drawn, Habits, OwnTexts
from gateway_worker.devkit.chaos.history import MembersChanged, PublishedCommand, Purpose
from gateway_worker.devkit.chaos.labelled_files import LabelledFiles
from gateway_worker.sandbox.control.client import SandboxClient

log = structlog.get_logger(__name__)

BURST: Final = 5
BURST_SHARE: Final = 0.05
FLOOD: Final = 30
FLOOD_SHARE: Final = 0.01
DUPLICATE_SHARE: Final = 0.03
CHECK_SHARE: Final = 0.1
LATER_SHARE: Final = 0.08
LATER_SECONDS: Final = (0.5, 20.0)
BULK_SHARE: Final = 0.02
BULK_ROWS: Final = (3, 12)
REMEMBERED: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A message that WhatsApp's server has taken from a phone; the rest is as in `SentByPhone`."""

    session_id: str
    message_id: str
    place: int
    at: float
    file: str | None = None
    stream: str = ""
    is_post: bool = False
    text: str = ""


@dataclass(slots=True)
class Book:
    """All that was done, in the order of doing for each session."""

    published: list[PublishedCommand] = field(default_factory=list)
    sent_by_phones: list[Note] = field(default_factory=list)
    members_changed: list[MembersChanged] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who gets what a command sends; as in `PublishedCommand`."""

    chat: str = ""
    readers: tuple[str, ...] = ()
    visitors: tuple[str, ...] = ()

    @classmethod
    def of(cls, reader: str) -> "Audience":
        """Return one of one."""
        return cls(chat=reader, readers=(reader,))


_NOBODY: Final = Audience()


class Traffic:
    """Writes as a backend and as the phones, until it is told to stop.

    Args:
        files: What it sends and has no text.
        rate: Messages per second and session, each way.
        seed: Of the pauses and bursts.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        phones: SandboxClient,
        setups: Sequence[SessionSetup],
        files: LabelledFiles,
        rate: float,
        seed: int,
    ) -> None:
        self._backend = backend
        self._files = files
        self._texts = OwnTexts()
        backend.on_arrival(self._texts.on_arrival)
        self._phones = phones
        self._setups = tuple(setups)
        self._pause_seconds = 1.0 / rate
        self._seed = seed
        self._stop = asyncio.Event()
        self._gates = {one.session_id: asyncio.Lock() for one in setups}
        self._places = dict.fromkeys(self._gates, 0)
        self._recent: deque[CommandEnvelope] = deque(maxlen=REMEMBERED)
        self._repeats: set[asyncio.Task[None]] = set()
        self.duplicates = 0
        self.book = Book()

    async def flow(self, *others: Coroutine[None, None, None]) -> None:
        """Write until `stop`; returns when the broker has confirmed the last command.

        Args:
            others: Traffic that uses this one, and runs beside it.
        """
        async with asyncio.TaskGroup() as tasks:
            for other in others:
                tasks.create_task(other)
            for setup in self._setups:
                tasks.create_task(self._send_all(setup), name=f"sends:{setup.session_id}")
                tasks.create_task(self._check_all(setup), name=f"checks:{setup.session_id}")
                tasks.create_task(self._send_later(setup), name=f"later:{setup.session_id}")
                tasks.create_task(self._write_all(setup), name=f"writes:{setup.session_id}")
        await asyncio.gather(*self._repeats)

    def stop(self) -> None:
        """Write no more."""
        self._stop.set()

    async def migrate(self, session_id: str, *, to: str | None) -> str:
        """Ask for a session to be moved; returns the command's id."""
        command = SessionMigrate(
            source=self._backend.source, subject=session_id, data=SessionMigrateData(to=to)
        )
        await self.issue(command, Purpose.MIGRATE)
        return command.id

    async def send_claiming(self, session_id: str, headers: Mapping[str, Any]) -> str:
        """Send a text with headers of the sender's choice; returns the command's id."""
        setup = next(one for one in self._setups if one.session_id == session_id)
        command_id = new_id()
        text = f"out {session_id} {command_id}"
        drawn = Drawn(content=TextToSend(text=text), label=text)
        command = self._command(
            command_id, session_id, MessageSendData(to=setup.reader, content=drawn.content)
        )
        await self.issue(command, Purpose.SEND, drawn, Audience.of(setup.reader), headers=headers)
        return command_id

    def recent_sends(self) -> list[MessageSend]:
        """Return the last sends that the broker has confirmed."""
        return [command for command in self._recent if isinstance(command, MessageSend)]

    async def repeat_recent(self, count: int, dice: random.Random) -> int:
        """Publish some of the last commands once more; returns how many."""
        chosen = dice.sample(list(self._recent), min(count, len(self._recent)))
        for command in chosen:
            await self._publish(command)
        self.duplicates += len(chosen)
        return len(chosen)

    def dice(self, setup: SessionSetup, what: str) -> random.Random:
        """Return the dice of one thing that a session's traffic does."""
        # Each of their own: a seed draws the same of one thing, whatever else there is.
        return random.Random(f"{self._seed}:{setup.session_id}:{what}")  # noqa: S311 - no secret

    async def pause(self, dice: random.Random) -> bool:
        """Wait for the next message's turn; True when there is none any more."""
        seconds = self._pause_seconds * dice.uniform(0.2, 1.8)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        return self._stop.is_set()

    async def issue(
        self,
        command: CommandEnvelope,
        purpose: Purpose,
        drawn: Drawn | None = None,
        to: Audience = _NOBODY,
        *,
        headers: Mapping[str, Any] | None = None,
        rows: Sequence[str] = (),
    ) -> None:
        """Publish a command behind all earlier ones of its session, however long that takes."""
        async with self._gates[command.subject]:
            place = self._places[command.subject]
            self._places[command.subject] += 1
            self.book.published.append(
                PublishedCommand(
                    command_id=command.id,
                    session_id=command.subject,
                    purpose=purpose,
                    place=place,
                    text="" if drawn is None else drawn.label,
                    about="" if drawn is None else drawn.about,
                    content="" if drawn is None else drawn.kind,
                    at=time.time(),
                    chat=to.chat,
                    readers=to.readers,
                    visitors=to.visitors,
                    client_ref=_ref_in(command),
                )
            )
            self.book.published += [
                PublishedCommand(
                    command_id=f"{command.id}/{row}",
                    session_id=command.subject,
                    purpose=Purpose.LATER,
                    place=place,
                    text=text,
                    content="text",
                    at=time.time(),
                    bulk=command.id,
                    chat=to.chat,
                    readers=to.readers,
                )
                for row, text in enumerate(rows, start=1)
            ]
            await self._publish(command, headers)
            self._recent.append(command)

    def repeat_later(self, command: CommandEnvelope, dice: random.Random) -> None:
        """Publish a command once more, soon or later."""
        seconds = dice.uniform(0, 2) if dice.random() < 0.5 else dice.uniform(10, 40)  # noqa: PLR2004 - even odds

        async def repeat() -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), seconds)
            await self._publish(command)
            self.duplicates += 1

        task = asyncio.create_task(repeat(), name=f"repeat:{command.id}")
        self._repeats.add(task)
        task.add_done_callback(self._repeats.discard)

    async def _send_all(self, setup: SessionSetup) -> None:
        dice = self.dice(setup, "sends")
        habits = Habits(
            session_id=setup.session_id,
            files=self._files,
            texts=self._texts,
            dice=self.dice(setup, "contents"),
        )
        count = 0
        while not await self.pause(dice):
            for _ in range(BURST if dice.random() < BURST_SHARE else 1):
                drawn = habits.draw(f"out {setup.session_id} {count}")
                count += 1
                data = MessageSendData(to=setup.reader, content=drawn.content)
                command = self._command(new_id(), setup.session_id, data)
                if isinstance(drawn.content, TextToSend):
                    self._texts.expect(command.id)
                await self.issue(command, Purpose.SEND, drawn, Audience.of(setup.reader))
                if dice.random() < DUPLICATE_SHARE:
                    self.repeat_later(command, dice)

    async def _check_all(self, setup: SessionSetup) -> None:
        dice = self.dice(setup, "checks")
        while not await self.pause(dice):
            if dice.random() < CHECK_SHARE:
                data = ContactCheckData(numbers=(setup.reader, setup.writer))
                command = ContactCheck(
                    source=self._backend.source, subject=setup.session_id, data=data
                )
                await self.issue(command, Purpose.CHECK)

    async def _send_later(self, setup: SessionSetup) -> None:
        """Schedule texts, and send in bulk."""
        dice = self.dice(setup, "later")
        count = 0
        while not await self.pause(dice):
            share = dice.random()
            label = f"later {setup.session_id} {count}"
            if share < LATER_SHARE:
                count += 1
                await self._schedule(setup, label, dice)
            elif share < LATER_SHARE + BULK_SHARE:
                count += 1
                await self._send_bulk(setup, label, dice.randint(*BULK_ROWS))

    async def _schedule(self, setup: SessionSetup, label: str, dice: random.Random) -> None:
        drawn = Drawn(content=TextToSend(text=label), label=label)
        due_at = utc_now() + timedelta(seconds=dice.uniform(*LATER_SECONDS))
        data = MessageSendData(to=setup.reader, content=drawn.content, scheduled_at=due_at)
        command = self._command(new_id(), setup.session_id, data)
        await self.issue(command, Purpose.LATER, drawn, Audience.of(setup.reader))
        if dice.random() < DUPLICATE_SHARE:
            self.repeat_later(command, dice)

    async def _send_bulk(self, setup: SessionSetup, label: str, count: int) -> None:
        rows = [f"{label} row {row}" for row in range(1, count + 1)]
        data = BulkCreateData(
            rows=tuple(BulkRow(to=setup.reader, content=TextToSend(text=text)) for text in rows),
            stop=BulkStop(failed_percent=100),
        )
        command = BulkCreate(source=self._backend.source, subject=setup.session_id, data=data)
        await self.issue(command, Purpose.BULK, to=Audience.of(setup.reader), rows=rows)

    async def _write_all(self, setup: SessionSetup) -> None:
        dice = self.dice(setup, "writes")
        contents = self.dice(setup, "written contents")
        place = 0
        while not await self.pause(dice):
            for _ in range(FLOOD if dice.random() < FLOOD_SHARE else 1):
                label = f"in {setup.session_id} {place}"
                written = await write(self._phones, setup.writer, setup.account, label, contents)
                self.book.sent_by_phones.append(
                    Note(
                        session_id=setup.session_id,
                        message_id=written.message_id,
                        place=place,
                        at=time.time(),
                        file=written.sha256,
                        stream=setup.writer,
                        text=written.text,
                    )
                )
                place += 1

    def _command(self, command_id: str, session_id: str, data: MessageSendData) -> MessageSend:
        return MessageSend(
            id=command_id,
            source=self._backend.source,
            subject=session_id,
            data=data.model_copy(update={"client_ref": f"ref {command_id}"}),
        )

    async def _publish(
        self, command: CommandEnvelope, headers: Mapping[str, Any] | None = None
    ) -> None:
        await self._backend.publish(command, seconds=None, headers=headers)


def _ref_in(command: CommandEnvelope) -> str:
    """Return what a command calls the message that it sends; empty for nothing."""
    named = command.data.client_ref if isinstance(command, MessageSend | StatusPost) else None
    return named or ""
