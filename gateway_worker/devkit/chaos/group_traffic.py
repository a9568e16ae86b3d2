"""Messages in groups, both ways, and members who come and go; beside the traffic of two."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from gateway_contracts import MessageSend, MessageSendData, TextToSend
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.chaos.contents import Written, write
from gateway_worker.devkit.chaos.event_recorder import SessionSetup
from gateway_worker.devkit.chaos.habits import Drawn, Habits, OwnTexts
from gateway_worker.devkit.chaos.history import MembersChanged, Purpose
from gateway_worker.devkit.chaos.labelled_files import LabelledFiles
from gateway_worker.devkit.chaos.rooms import Room, Rooms
from gateway_worker.devkit.chaos.traffic import DUPLICATE_SHARE, Audience, Note, Traffic
from gateway_worker.sandbox.control.client import SandboxClient
from gateway_worker.sandbox.control.models import MemberAction

SEND_SHARE: Final = 0.12
WRITE_SHARE: Final = 0.12
ANNOUNCEMENT_SHARE: Final = 0.25
"""Of what is written to several at once."""
CHANGE_SHARE: Final = 0.05


class GroupTraffic:
    """Writes in groups as a backend and as their members, until the traffic is told to stop.

    Args:
        traffic: Publishes commands in their order, paces, and keeps the book.
        rooms: By session.
        files: What it sends and has no text.
    """

    def __init__(
        self,
        *,
        traffic: Traffic,
        backend: Backend,
        phones: SandboxClient,
        setups: Sequence[SessionSetup],
        rooms: Mapping[str, Rooms],
        files: LabelledFiles,
    ) -> None:
        self._traffic = traffic
        self._source = backend.source
        self._phones = phones
        self._setups = tuple(setups)
        self._rooms = rooms
        self._files = files
        self._texts = OwnTexts()
        backend.on_arrival(self._texts.on_arrival)

    async def flow(self) -> None:
        """Write until the traffic stops."""
        async with asyncio.TaskGroup() as tasks:
            for setup in self._setups:
                rooms, session_id = self._rooms[setup.session_id], setup.session_id
                tasks.create_task(self._send_all(setup, rooms), name=f"rooms:{session_id}")
                tasks.create_task(self._write_all(setup, rooms), name=f"members:{session_id}")
                tasks.create_task(self._come_and_go(setup, rooms.group), name=f"guest:{session_id}")

    async def _send_all(self, setup: SessionSetup, rooms: Rooms) -> None:
        dice = self._traffic.dice(setup, "rooms")
        habits = Habits(
            session_id=setup.session_id,
            files=self._files,
            texts=self._texts,
            dice=self._traffic.dice(setup, "room contents"),
        )
        count = 0
        while not await self._traffic.pause(dice):
            if dice.random() >= SEND_SHARE:
                continue
            is_announcement = dice.random() < ANNOUNCEMENT_SHARE
            room = rooms.announcements if is_announcement else rooms.group
            label = f"{room.name} {setup.session_id} {count}"
            count += 1
            drawn = _text(label) if is_announcement else habits.draw(label)
            command = MessageSend(
                source=self._source,
                subject=setup.session_id,
                data=MessageSendData(
                    to=room.address, content=drawn.content, client_ref=f"ref {label}"
                ),
            )
            if isinstance(drawn.content, TextToSend) and not is_announcement:
                self._texts.expect(command.id)
            await self._traffic.issue(command, Purpose.SEND, drawn, _members(setup, room))
            if dice.random() < DUPLICATE_SHARE:
                self._traffic.repeat_later(command, dice)

    async def _write_all(self, setup: SessionSetup, rooms: Rooms) -> None:
        dice = self._traffic.dice(setup, "members")
        contents = self._traffic.dice(setup, "members' contents")
        places = dict.fromkeys((room.name for room in rooms), 0)
        while not await self._traffic.pause(dice):
            if dice.random() >= WRITE_SHARE:
                continue
            is_announcement = dice.random() < ANNOUNCEMENT_SHARE
            room = rooms.announcements if is_announcement else rooms.group
            label = f"in {room.name} {setup.session_id} {places[room.name]}"
            written = await write(self._phones, setup.writer, room.address, label, contents)
            self._note(setup, room, setup.writer, places[room.name], written)
            places[room.name] += 1

    async def _come_and_go(self, setup: SessionSetup, group: Room) -> None:
        """Let the guest in, who says something, and out again, by turns."""
        dice = self._traffic.dice(setup, "guest")
        place = 0
        while not await self._traffic.pause(dice):
            if dice.random() >= CHANGE_SHARE:
                continue
            comes = place % 2 == 0
            action = MemberAction.ADD if comes else MemberAction.REMOVE
            await self._phones.change_members(setup.writer, group.address, action, (setup.guest,))
            at = time.time()
            view = await self._phones.group(setup.writer, group.address)
            self._traffic.book.members_changed.append(
                MembersChanged(
                    session_id=setup.session_id, version=view.members_version, place=place, at=at
                )
            )
            if comes:
                label = f"in {group.name} {setup.session_id} guest {place}"
                message_id = await self._phones.send_text(setup.guest, group.address, label)
                written = Written(message_id=message_id, text=label)
                self._note(setup, group, setup.guest, place, written)
            place += 1

    def _note(
        self, setup: SessionSetup, room: Room, writer: str, place: int, written: Written
    ) -> None:
        self._traffic.book.sent_by_phones.append(
            Note(
                session_id=setup.session_id,
                message_id=written.message_id,
                place=place,
                at=time.time(),
                file=written.sha256,
                stream=f"{writer} in {room.address}",
                text=written.text,
            )
        )


def _members(setup: SessionSetup, room: Room) -> Audience:
    return Audience(chat=room.address, readers=(setup.reader, setup.writer), visitors=room.visitors)


def _text(label: str) -> Drawn:
    return Drawn(content=TextToSend(text=label), label=label)
