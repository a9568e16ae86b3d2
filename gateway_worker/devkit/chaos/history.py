"""What a run has left behind, as plain values: the auditor reads this and nothing else.

All moments are seconds since 1970. Texts are the traffic's own labels, different for each message.
"""

import enum
import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from gateway_contracts import SessionState, StatusReason


class Purpose(enum.StrEnum):
    """What a command was for."""

    SEND = "send"
    MIGRATE = "migrate"
    CHECK = "check"
    """Whether numbers are on WhatsApp: it changes nothing, and has no order."""
    LATER = "later"
    """A send at a time of its own, or a row of a bulk: it has no order."""
    BULK = "bulk"
    """Many sends at once; each of them is a command of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCommand:
    """A command that the backend has published at least once.

    Attributes:
        place: Its place among all commands of its session; publication follows it.
        text: The label of what it was to send; empty for other commands.
        at: When its publication began.
        content: The kind of what it was to send.
        about: The message that it was to change or react to, if it was to do that.
        bulk: The command that it is a row of.
        chat: Where it was to send something: an address, or empty.
        readers: By their numbers, the phones that show what it has sent.
        visitors: Those that may show it: they come and go.
        client_ref: What the backend calls what it sends; empty for nothing.
    """

    command_id: str
    session_id: str
    purpose: Purpose
    place: int
    text: str
    at: float
    content: str = ""
    about: str = ""
    bulk: str = ""
    chat: str = ""
    readers: tuple[str, ...] = ()
    visitors: tuple[str, ...] = ()
    client_ref: str = ""


class Kind(enum.StrEnum):
    """Events as far as they are told apart."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RESOLVED = "resolved"
    """What became of an uncertain command: it has taken effect."""
    CONFLICT = "conflict"
    """A command was refused because its id is another one's: no outcome of that one."""
    RECEIVED = "received"
    RECEIPT = "receipt"
    MEMBERS = "members"
    """Somebody has come into a group, or has gone."""
    UNDECRYPTABLE = "undecryptable"
    FILE_READY = "file_ready"
    FILE_FAILED = "file_failed"
    STATUS = "status"
    QR = "qr"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSeen:
    """An event as it first came; one that comes again is left out.

    Attributes:
        sequence: Its place among the session's events; None where it has none.
        at: The worker's time of it.
        came: When the backend had it.
        command_id: Of outcomes and receipts: the command.
        code: Of failures: the error code.
        repeated: Of outcomes: it is told again because the command came again.
        message_id: Of messages, receipts, and sends that succeeded or may have: WhatsApp's id. Of
            members: its name for who is in the group now.
        left_out: Of sends that succeeded: how many devices they say that they did not reach.
        by: Of receipts: whose it is, by number; empty if that is not known.
        who: Of receipts: whose it is, by id.
        status: Of receipts: what it says.
        client_ref: Of outcomes and receipts: what the backend calls the message.
        is_routed: Whether it came under the routing key that it has by the contract.
        text: Of messages: what they say, or what is written to what they bring.
        sha256: Of files that are there: their hash, as the event says.
        key: And where they are.
        state: Of changes of state: the new one.
        reason: Of changes of state: why.
        worker: Of changes of state: who says so.
    """

    event_id: str
    session_id: str
    kind: Kind
    sequence: int | None
    at: float
    came: float
    command_id: str = ""
    code: str = ""
    repeated: bool = False
    message_id: str = ""
    left_out: int = 0
    by: str = ""
    who: str = ""
    status: str = ""
    client_ref: str = ""
    is_routed: bool = True
    text: str = ""
    sha256: str = ""
    key: str = ""
    state: SessionState | None = None
    reason: StatusReason | None = None
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenByPhone:
    """A message from a session on a phone that it was sent to, in the order of the phone.

    Attributes:
        phone: Whose phone, by its number.
        text: The label that it was sent under.
        asked_again: The phone could not read it at first and asked for it again.
        damaged: It has a file, and that is not the one that was sent.
        about: The message that it changes or reacts to, if it does.
    """

    session_id: str
    message_id: str
    text: str
    at: float
    asked_again: bool = False
    damaged: bool = False
    about: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentByPhone:
    """A message that a phone wrote to a session.

    Attributes:
        place: Its place among all that this phone wrote in that chat.
        stream: Names the phone and the chat.
        at: When WhatsApp's server had taken it.
        confirmed_at: When the session's device confirmed it, to the second; None if it never did.
        file: The hash of its file; None if it has none, "" if nobody can have it.
        is_post: It was posted in a channel: who posts is told of no confirmation.
        text: What it says, or what is written to what it brings; empty where that is not looked at.
    """

    session_id: str
    message_id: str
    place: int
    at: float
    confirmed_at: float | None
    file: str | None = None
    stream: str = ""
    is_post: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersChanged:
    """Somebody has come into a group that a session is in, or has gone.

    Attributes:
        version: WhatsApp's name for who is in it since.
        place: Its place among all changes of that group.
        at: When it was made.
    """

    session_id: str
    version: str
    place: int
    at: float


class ImpactKind(enum.StrEnum):
    """What a fault did to the process that holds a session's connection."""

    HOST_KILLED = "host_killed"
    WORKER_KILLED = "worker_killed"
    NOTES_GONE = "notes_gone"
    """Its worker was killed when it had no host: what that host had noted is on that disk."""
    LIBRARY_STOPPED = "library_stopped"
    """WhatsApp has said something that the library does not know: its host leaves at once."""
    FROZEN = "frozen"
    PAUSED = "paused"
    """All processes of its worker stand still for longer than the lease, from then on: the kernel
    kills its host where it stands."""
    LEASE_ENDED = "lease_ended"
    """Cut off from the database for so long that the worker has to kill its hosts."""
    SILENCED = "silenced"
    """WhatsApp cannot be reached, or its answers are held back; nothing happens to the process."""
    REROUTED = "rerouted"
    """A binding was deleted, or not every node of the broker knew it: commands come by the shared
    queue, which several workers empty, so they are not sure to keep their order. Nothing happens to
    the process."""
    HELD_UP = "held_up"
    """Its worker's transactions took long, or had to wait. Nothing happens to the process, but
    whatever kills it meanwhile meets more sends between their beginning and their end."""

    @property
    def is_kill(self) -> bool:
        """Whether a fault killed the host's process with signal 9."""
        return self in {ImpactKind.HOST_KILLED, ImpactKind.WORKER_KILLED}

    @property
    def is_harmless(self) -> bool:
        """Whether nothing happens to the process, nor to what it has been given."""
        return self in {ImpactKind.REROUTED, ImpactKind.HELD_UP}

    @property
    def is_sudden(self) -> bool:
        """Whether the connection ended with no time for what the library had in hand."""
        return self.is_kill or self in {ImpactKind.LIBRARY_STOPPED, ImpactKind.PAUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """A fault hit one session's host.

    Attributes:
        at: From when on.
        until: Until when; a kill takes a moment, too.
    """

    session_id: str
    kind: ImpactKind
    at: float
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLoss:
    """A worker was killed and not started again at once: its sessions have to move.

    Attributes:
        sessions: Those whose host ran there.
    """

    worker: str
    at: float
    sessions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A service, or a node of one, was lost; `kind` is the fault's."""

    kind: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A whole run.

    Attributes:
        events_seen: In the order of their first arrival.
        seen_by_phones: In the order of each phone.
        injections: How many faults were done, by kind.
        reused_keys: Messages that a phone had to ask for again, because the session had encrypted
            them with a key that it had used before.
        objects: The hash of what is in the object store, by the keys that events have named; ""
            where nothing is.
        forged: Ids that a hostile backend has made up for events, messages and commands in the
            gateway's name. Nobody may be told of them.
        reused_ids: Of commands, under which it has published others with another content.
        ended_at: Up to when events were seen; one that has not settled ends in the midst of them.
        unconfirmed: Chats in which nobody is told by name who has got something: channels, and the
            status.
        strikes: Losses of services and of their nodes.
    """

    sessions: Sequence[str]
    published: Sequence[PublishedCommand]
    events_seen: Sequence[EventSeen]
    seen_by_phones: Sequence[SeenByPhone]
    sent_by_phones: Sequence[SentByPhone]
    members_changed: Sequence[MembersChanged] = ()
    impacts: Sequence[Impact] = ()
    losses: Sequence[WorkerLoss] = ()
    injections: Mapping[str, int] = field(default_factory=dict)
    reused_keys: int = 0
    objects: Mapping[str, str] = field(default_factory=dict)
    forged: AbstractSet[str] = frozenset()
    reused_ids: AbstractSet[str] = frozenset()
    ended_at: float = math.inf
    unconfirmed: AbstractSet[str] = frozenset()
    strikes: Sequence[Strike] = ()
