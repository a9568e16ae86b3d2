"""Posts: what a session posts to its status and its channel, and what comes from another one."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from gateway_contracts import (
    CommandEnvelope,
    MessageSend,
    MessageSendData,
    StatusPost,
    StatusPostData,
    StatusText,
    TextToSend,
)
from gateway_worker.devkit.chaos.event_recorder import SessionSetup
from gateway_worker.devkit.chaos.habits import Drawn
from gateway_worker.devkit.chaos.history import Purpose
from gateway_worker.devkit.chaos.rooms import STATUS, Room, Rooms
from gateway_worker.devkit.chaos.traffic import DUPLICATE_SHARE, Audience, Note, Traffic
from gateway_worker.sandbox.control.client import SandboxClient

POST_SHARE: Final = 0.06
"""Of what is written to one person, so much is posted besides."""
STATUS_SHARE: Final = 0.5
"""Of that, the rest goes to the session's channel."""
FOLLOWED_SHARE: Final = 0.04


class PostTraffic:
    """Posts as a backend and as the owner of a channel, until the traffic is told to stop.

    Args:
        traffic: Publishes commands in their order, paces, and keeps the book.
        source: The backend's.
        rooms: By session.
    """

    def __init__(
        self,
        *,
        traffic: Traffic,
        source: str,
        phones: SandboxClient,
        setups: Sequence[SessionSetup],
        rooms: Mapping[str, Rooms],
    ) -> None:
        self._traffic = traffic
        self._source = source
        self._phones = phones
        self._setups = tuple(setups)
        self._rooms = rooms

    async def flow(self) -> None:
        """Post until the traffic stops."""
        async with asyncio.TaskGroup() as tasks:
            for setup in self._setups:
                rooms, session_id = self._rooms[setup.session_id], setup.session_id
                tasks.create_task(self._post_all(setup, rooms.channel), name=f"posts:{session_id}")
                tasks.create_task(self._write_all(setup, rooms.followed), name=f"news:{session_id}")

    async def _post_all(self, setup: SessionSetup, channel: Room) -> None:
        dice = self._traffic.dice(setup, "posts")
        count = 0
        while not await self._traffic.pause(dice):
            if dice.random() >= POST_SHARE:
                continue
            is_status = dice.random() < STATUS_SHARE
            name = "status" if is_status else channel.name
            chat = STATUS if is_status else channel.address
            label = f"{name} {setup.session_id} {count}"
            count += 1
            content = StatusText(text=label) if is_status else TextToSend(text=label)
            command = self._command(setup, chat, content)
            drawn = Drawn(content=content, label=label, counted=name)
            to = Audience(chat=chat, readers=(setup.reader, setup.writer))
            await self._traffic.issue(command, Purpose.SEND, drawn, to)
            if dice.random() < DUPLICATE_SHARE:
                self._traffic.repeat_later(command, dice)

    async def _write_all(self, setup: SessionSetup, followed: Room) -> None:
        dice = self._traffic.dice(setup, "news")
        place = 0
        while not await self._traffic.pause(dice):
            if dice.random() >= FOLLOWED_SHARE:
                continue
            label = f"in {followed.name} {setup.session_id} {place}"
            message_id = await self._phones.post(setup.writer, followed.address, label)
            self._traffic.book.sent_by_phones.append(
                Note(
                    session_id=setup.session_id,
                    message_id=message_id,
                    place=place,
                    at=time.time(),
                    stream=f"{setup.writer} in {followed.address}",
                    is_post=True,
                    text=label,
                )
            )
            place += 1

    def _command(
        self, setup: SessionSetup, chat: str, content: StatusText | TextToSend
    ) -> CommandEnvelope:
        if isinstance(content, StatusText):
            posted = StatusPostData(content=content, client_ref=f"ref {chat} {content.text}")
            return StatusPost(source=self._source, subject=setup.session_id, data=posted)
        data = MessageSendData(to=chat, content=content, client_ref=f"ref {chat} {content.text}")
        return MessageSend(source=self._source, subject=setup.session_id, data=data)
