"""Makes histories by hand: a clean one of two sessions, and what a test wants to be different."""

import math
from dataclasses import dataclass, field
from typing import Any

from gateway_contracts import SessionState, StatusReason
from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.history import (
    EventSeen,
    History,
    Impact,
    ImpactKind,
    Kind,
    MembersChanged,
    PublishedCommand,
    Purpose,
    SeenByPhone,
    SentByPhone,
    WorkerLoss,
)

START = 1_000.0


@dataclass(slots=True)
class Story:
    """A history that is still being written; time passes by a second with each step."""

    session_id: str = "one"
    now: float = START
    sequence: int = 0
    published: list[PublishedCommand] = field(default_factory=list)
    events_seen: list[EventSeen] = field(default_factory=list)
    seen_by_phones: list[SeenByPhone] = field(default_factory=list)
    sent_by_phones: list[SentByPhone] = field(default_factory=list)
    members_changed: list[MembersChanged] = field(default_factory=list)
    impacts: list[Impact] = field(default_factory=list)
    losses: list[WorkerLoss] = field(default_factory=list)
    forged: set[str] = field(default_factory=set)
    reused_ids: set[str] = field(default_factory=set)
    unconfirmed: set[str] = field(default_factory=set)
    objects: dict[str, str] = field(default_factory=dict)
    ended_at: float = math.inf

    @classmethod
    def linked(cls) -> "Story":
        """A session that was paired and is connected."""
        story = cls()
        story.tell(kind=Kind.QR)
        story.status(SessionState.CONNECTED, StatusReason.PAIRED)
        return story

    @classmethod
    def clean(cls) -> "Story":
        """Three sends that succeeded and three messages that arrived."""
        story = cls.linked()
        for number in range(3):
            story.send(f"c{number}")
            story.succeed(f"c{number}")
            story.receive(f"m{number}")
        return story

    def tell(self, *, kind: Kind, **values: Any) -> EventSeen:
        """Let the session's next event arrive."""
        self.now += 1
        self.sequence += 1
        told = EventSeen(
            **{
                "event_id": f"e{self.sequence}",
                "session_id": self.session_id,
                "sequence": self.sequence,
                "at": self.now,
                "came": self.now,
                "kind": kind,
                **values,
            }
        )
        self.events_seen.append(told)
        return told

    def status(self, state: SessionState, reason: StatusReason, worker: str = "a") -> EventSeen:
        """Let the session change its state."""
        return self.tell(kind=Kind.STATUS, state=state, reason=reason, worker=worker)

    def send(self, command_id: str, *, about: str = "", client_ref: str = "") -> None:
        """Issue a send, maybe of what changes another message, maybe with a name for it."""
        text = f"text of {command_id}"
        self._issue(command_id, Purpose.SEND, text, about=about, client_ref=client_ref)

    def send_to(self, chat: str, command_id: str, *readers: str, content: str = "") -> None:
        """Issue a send to several, one of whom has its guest there."""
        text = f"text of {command_id}"
        more = {"chat": chat, "readers": readers, "visitors": ("guest",), "content": content}
        self._issue(command_id, Purpose.SEND, text, **more)

    def migrate(self, command_id: str) -> None:
        """Ask for the session to move."""
        self._issue(command_id, Purpose.MIGRATE, "")

    def check(self, command_id: str) -> None:
        """Ask about numbers."""
        self._issue(command_id, Purpose.CHECK, "")

    def later(self, command_id: str) -> None:
        """Schedule a send."""
        self._issue(command_id, Purpose.LATER, f"text of {command_id}")

    def bulk(self, command_id: str, rows: int) -> None:
        """Send many at once."""
        self._issue(command_id, Purpose.BULK, "")
        for row in range(1, rows + 1):
            row_id = f"{command_id}/{row}"
            self._issue(row_id, Purpose.LATER, f"text of {row_id}", bulk=command_id)

    def _issue(self, command_id: str, purpose: Purpose, text: str, **more: Any) -> None:
        self.now += 1
        self.published.append(
            PublishedCommand(
                command_id=command_id,
                session_id=self.session_id,
                purpose=purpose,
                place=len(self.published),
                text=text,
                at=self.now,
                **more,
            )
        )

    def show(
        self,
        command_id: str,
        message_id: str | None = None,
        *,
        asked_again: bool = False,
        damaged: bool = False,
        about: str = "",
        phone: str = "",
    ) -> None:
        """Let a send's message appear at a phone."""
        self.seen_by_phones.append(
            SeenByPhone(
                session_id=self.session_id,
                message_id=message_id or f"wa-{command_id}",
                text=f"text of {command_id}",
                at=self.now,
                asked_again=asked_again,
                damaged=damaged,
                about=about,
                phone=phone,
            )
        )

    def succeed(self, command_id: str) -> None:
        """Let a send's message and its outcome arrive."""
        self.show(command_id)
        self.tell(kind=Kind.SUCCEEDED, command_id=command_id, message_id=f"wa-{command_id}")

    def fail(self, command_id: str, code: str, **values: Any) -> EventSeen:
        """Let the outcome of a command be a failure."""
        return self.tell(kind=Kind.FAILED, command_id=command_id, code=code, **values)

    def change_members(self, version: str) -> None:
        """Let somebody come into a group, or go."""
        self.now += 1
        self.members_changed.append(
            MembersChanged(
                session_id=self.session_id,
                version=version,
                place=len(self.members_changed),
                at=self.now,
            )
        )

    def write(
        self,
        message_id: str,
        *,
        confirmed: bool = True,
        file: str | None = None,
        stream: str = "",
        is_post: bool = False,
        text: str = "",
    ) -> None:
        """Let a phone write a message, maybe with a file, or post it in a channel."""
        self.now += 1
        self.sent_by_phones.append(
            SentByPhone(
                session_id=self.session_id,
                message_id=message_id,
                place=len(self.sent_by_phones),
                at=self.now,
                confirmed_at=self.now if confirmed and not is_post else None,
                file=file,
                stream=stream,
                is_post=is_post,
                text=text,
            )
        )

    def receive(self, message_id: str, *, file: str | None = None) -> None:
        """Let a phone write a message that arrives."""
        self.write(message_id, file=file)
        self.tell(kind=Kind.RECEIVED, message_id=message_id)

    def fetch(self, message_id: str, file: str, *, stored: str | None = None) -> None:
        """Let a message's file be told to be in the object store, and be there."""
        key = f"media/{message_id}"
        self.objects[key] = file if stored is None else stored
        self.tell(kind=Kind.FILE_READY, message_id=message_id, sha256=file, key=key)

    def impact(
        self,
        kind: ImpactKind = ImpactKind.HOST_KILLED,
        *,
        session_id: str = "one",
        seconds: float = 0.0,
    ) -> None:
        """Let a fault hit the session's host now."""
        until = self.now + seconds
        self.impacts.append(Impact(session_id=session_id, kind=kind, at=self.now, until=until))

    def history(self) -> History:
        """Return what the auditor reads."""
        return History(
            sessions=(self.session_id,),
            published=tuple(self.published),
            events_seen=tuple(self.events_seen),
            seen_by_phones=tuple(self.seen_by_phones),
            sent_by_phones=tuple(self.sent_by_phones),
            members_changed=tuple(self.members_changed),
            impacts=tuple(self.impacts),
            losses=tuple(self.losses),
            injections={"host_kill": len(self.impacts)},
            objects=dict(self.objects),
            forged=frozenset(self.forged),
            reused_ids=frozenset(self.reused_ids),
            ended_at=self.ended_at,
            unconfirmed=frozenset(self.unconfirmed),
        )


def breaches(story: Story) -> list[Breach]:
    """Return what the auditor finds, each once."""
    return list(dict.fromkeys(one.breach for one in audit(story.history()).offences))
