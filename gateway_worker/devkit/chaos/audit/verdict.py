"""What the audit finds."""

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class Breach(enum.StrEnum):
    """A promise that may be broken."""

    COMMAND_LOST = "command lost"
    COMMAND_DOUBLED = "command doubled"
    COMMAND_CONTRADICTED = "command failed, but took effect"
    UNCERTAIN_UNEXPLAINED = "uncertain without a cause"
    TOO_MANY_UNCERTAIN = "too many stay uncertain"
    MESSAGE_LOST = "message lost outside the library's window"
    TOO_MANY_LOST = "too many messages lost in the library's window"
    MESSAGE_DOUBLED = "message doubled"
    MESSAGE_CHANGED = "message with another content"
    FILE_LOST = "file lost"
    FILE_DAMAGED = "file damaged"
    FILE_DOUBLED = "file told of twice"
    RECEIPT_LOST = "receipt of a member lost"
    RECEIPT_STRANGE = "receipt of somebody who has no message"
    RECEIPT_DOUBLED = "receipt doubled"
    MEMBERS_LOST = "change of a group's members lost"
    MEMBERS_DOUBLED = "change of a group's members doubled"
    RECEIPT_NAMELESS = "receipt without its command"
    REF_NOT_ECHOED = "client_ref not echoed"
    MISROUTED = "event under another routing key"
    FORGED = "forged by a backend"
    ID_NOT_REFUSED = "id used twice and not refused"
    OUT_OF_ORDER = "out of order"
    EVENT_GAP = "gap in the events"
    NEW_QR = "new QR code needed"
    NOT_CONNECTED = "not connected at the end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence:
    """One promise broken once.

    Attributes:
        session_id: Whose promise; empty where it is about the whole run.
        identity: The command, message or event.
        detail: What was seen, without texts and numbers of people.
    """

    breach: Breach
    session_id: str = ""
    identity: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Durations, in seconds, in rising order."""

    seconds: tuple[float, ...]

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Sort them."""
        return cls(seconds=tuple(sorted(seconds)))

    def percentile(self, share: float) -> float | None:
        """Return the smallest that `share` of them do not exceed; None if there are none."""
        if not self.seconds:
            return None
        place = max(0, math.ceil(share * len(self.seconds)) - 1)
        return round(self.seconds[place], 3)

    @property
    def maximum(self) -> float | None:
        """The longest; None if there are none."""
        return self.percentile(1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How long one kind of fault was felt, each strike of it by itself.

    Attributes:
        pauses: The longest time in which no command succeeded at all.
        waits: How long the slowest command waited for its success.
    """

    pauses: Spread
    waits: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Of commands.

    Attributes:
        failed: With a certain end, by error code; no breach by itself.
        explained: Uncertain ones by what hit the session's host meanwhile.
        identified: Uncertain ones whose message's id was told.
        resolved: Uncertain ones of which it was told later that they had sent their message.
        arrived: Uncertain ones whose message the phone shows.
        unanswered: Of the uncertain ones those that had been handed over when WhatsApp's answers
            were held back: how many there are says nothing about the gateway.
        held_up: Of the others those that had begun when their worker's transactions were slow or
            stood still: a kill meets as many sends at once as there are sessions then.
        blamed: The others that stayed unknown, by what hit the session's host meanwhile. One whose
            message was on its way is uncertain as often as sends are on their way, and resolved.
        shared: Those that several phones have to show, and to confirm.
        contents: What was sent, by kind.
    """

    published: int
    succeeded: int
    failed: Mapping[str, int]
    uncertain: int
    explained: Mapping[str, int]
    identified: int
    resolved: int
    arrived: int
    unanswered: int
    held_up: int
    blamed: Mapping[str, int]
    shared: int
    contents: Mapping[str, int]
    offences: tuple[Offence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """Of receipts.

    Attributes:
        due: Members who have got something that was sent to several.
        told: Those of them whose receipt was told.
    """

    due: int
    told: int
    offences: tuple[Offence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Of people who come into groups and go.

    Attributes:
        lost_in_window: Never told, and a host was killed about then.
    """

    changed: int
    told: int
    lost_in_window: int
    offences: tuple[Offence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """Of what the phones wrote.

    Attributes:
        posted: Those of them that were posted in channels.
        lost_in_window: Lost when a host was killed, as far as the library leaves no choice.
        unreadable: Announced by `message.undecryptable`, whether or not they came later.
    """

    sent: int
    posted: int
    delivered: int
    lost_in_window: tuple[Offence, ...]
    unreadable: int
    offences: tuple[Offence, ...]

    @property
    def lost(self) -> int:
        """How many never arrived."""
        outside = sum(one.breach is Breach.MESSAGE_LOST for one in self.offences)
        return len(self.lost_in_window) + outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Of the files that came with messages.

    Attributes:
        arrived: Files whose message has arrived.
        failed: Told to be unavailable, by error code.
    """

    arrived: int
    ready: int
    failed: Mapping[str, int]
    offences: tuple[Offence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of an audit; passed if there are no offences.

    Attributes:
        recoveries: What losses of services and of their nodes cost, by the kind of fault.
        late: What came behind something newer, from the disk of a worker whose session another
            one had taken over.
        host_kills: Hosts that a fault killed, alone or with their worker.
        exposed: How often each kind of impact has hit a session.
        reused_keys: Messages that phones had to ask for again; see `History`.
    """

    commands: Commands
    inbound: Inbound
    files: Files
    receipts: Receipts
    members: Members
    late: tuple[Offence, ...]
    host_kills: int
    exposed: Mapping[str, int]
    reused_keys: int
    takeover: Spread
    handover: Spread
    injections: Mapping[str, int]
    offences: tuple[Offence, ...] = field(default=())
    recoveries: Mapping[str, Recovery] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return not self.offences

    def count(self, breach: Breach) -> int:
        """Return how often a promise was broken."""
        return sum(one.breach is breach for one in self.offences)
