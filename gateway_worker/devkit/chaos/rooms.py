"""Where several people read what a session writes: a group, a community, a channel, the status."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway_worker.devkit.chaos.event_recorder import SessionSetup
from gateway_worker.sandbox.control.client import SandboxClient
from gateway_worker.sandbox.control.models import MemberAction

_NAME: Final = "Chaos"
STATUS: Final = "status@broadcast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A chat with a session's account, its reader and its writer as members.

    Attributes:
        name: What its messages are labelled with.
        address: Its id.
        visitors: Who comes and goes besides, by number.
    """

    name: str
    address: str
    visitors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """Those of one session.

    Attributes:
        group: The writer has made it, and lets the guest in and out.
        announcements: The session's account has made it; the writer is an admin, too, for nobody
            else may write there.
        channel: The account's own; reader and writer follow it.
        followed: The writer's channel, which the account follows.
    """

    group: Room
    announcements: Room
    channel: Room
    followed: Room

    def __iter__(self) -> Iterator[Room]:
        """Those with members."""
        return iter((self.group, self.announcements))


async def open_rooms(phones: SandboxClient, setup: SessionSetup) -> Rooms:
    """Have a session's phones make them all, and show the account's status to its readers."""
    group = await phones.create_group(setup.writer, _NAME, members=(setup.account, setup.reader))
    made = await phones.create_community(setup.account, _NAME, members=(setup.reader, setup.writer))
    await phones.change_members(
        setup.account, made.announcements, MemberAction.PROMOTE, (setup.writer,)
    )
    await phones.show_status_to(setup.account, (setup.reader, setup.writer))
    channel = await phones.open_channel(
        setup.account, followers=(setup.reader, setup.writer), name=_NAME
    )
    followed = await phones.open_channel(setup.writer, followers=(setup.account,), name=_NAME)
    return Rooms(
        group=Room(name="group", address=group.group, visitors=(setup.guest,)),
        announcements=Room(name="announcements", address=made.announcements),
        channel=Room(name="channel", address=channel),
        followed=Room(name="channel", address=followed),
    )
