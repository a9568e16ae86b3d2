"""What of a batch takes effect: the state of each change on its way through the transaction."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway_contracts import ChatMerged, CommandResolved
from gateway_worker.sessions.changes import (
    Change,
    CommandState,
    Committed,
    Direction,
    OutboxRow,
)
from gateway_worker.storage.db.changes.bodies import Draft

Key = tuple[str, str, str, str, str]
"""Unique among messages and receipts: a message's fourth part is its direction, which looks like
nobody's id."""


class Sender(NamedTuple):
    """What has sent a message: a command, and what its backend calls the message.

    `is_uncertain` says that it was not known until now whether the command had sent it.
    """

    command_id: str | None = None
    client_ref: str | None = None
    is_uncertain: bool = False


NOBODY: Final = Sender()


@dataclass(slots=True, kw_only=True)
class Step:
    """A change, its encoded events, and what has been found out about it so far.

    Attributes:
        is_rare: Whether it has more than the end of a command, a message, a receipt and events. Few
            have, so that what is written of the rest looks at these alone.
        sender: What has sent the message that it is about, once it is found.
        chat_id: What the conversation is called that it is about.
        ahead: What has come to light with it, and is announced before it.
        behind: What is known of it at once, and is announced after it.
    """

    change: Change
    drafts: tuple[Draft, ...]
    is_rare: bool = False
    fenced: bool = False
    repeated: bool = False
    transferred: bool = False
    early: bool = False
    sender: Sender = NOBODY
    chat_id: str | None = None
    ahead: list[Draft] = field(default_factory=list)
    behind: list[Draft] = field(default_factory=list)
    rows: tuple[OutboxRow, ...] = field(default=())

    @property
    def told(self) -> tuple[Draft, ...]:
        """All that it announces, in order."""
        return (*self.ahead, *self.drafts, *self.behind)

    @classmethod
    def of(cls, change: Change) -> "Step":
        """Check a change and encode its events.

        Raises:
            ValueError: The change cannot be written as it stands; a fault in the worker.
        """
        if change.message is not None and change.receipt is not None:
            raise ValueError("a change has a message or a receipt, not both")
        if change.receipt is not None and change.outcome is not None:
            raise ValueError("a change ends a command or has a receipt, not both")
        if change.media_update is not None and (change.outcome or change.message):
            raise ValueError("a change tells what became of a file, or something else, not both")
        if change.delete and change.transfer is not None:
            raise ValueError("a change deletes a session or gives it away, not both")
        if change.found is not None and (change.outcome or change.message or change.receipt):
            raise ValueError("a change tells of a former owner's send, or something else, not both")
        rows = change.session or change.message or change.receipt or change.media_update
        later = change.deferred or change.deferred_end or change.bulk or change.bulk_update
        noted = change.read or change.review or change.counted or change.forget
        rests = change.found or later or noted or change.delete or change.transfer
        if change.epoch is None and (rows or rests):
            raise ValueError("a change without an epoch may have events and an outcome only")
        if change.once and (change.epoch is None or not change.events):
            raise ValueError("what is told once is an event of a session")
        if any(event.subject != change.session_id for event in change.events):
            raise ValueError("a change announces its own session only")
        rare = (change.session, change.media, change.media_update, change.timer, change.once)
        return cls(
            change=change,
            drafts=tuple(Draft.of(event) for event in change.events),
            is_rare=bool(rests or any(rare)),
        )

    @property
    def live(self) -> bool:
        """Whether it still takes effect."""
        return not (self.fenced or self.repeated or self.early)

    @property
    def is_last(self) -> bool:
        """Whether this worker has its session no longer, as far as it shows here."""
        return self.fenced or self.transferred or self.change.delete

    @property
    def key(self) -> Key | None:
        """The unique key of its message or receipt, if it has one."""
        session_id = self.change.session_id
        if (message := self.change.message) is not None:
            return (
                session_id,
                message.message_id,
                message.chat,
                message.direction.value,
                message.sender,
            )
        if (receipt := self.change.receipt) is not None:
            return (
                session_id,
                receipt.message_id,
                receipt.chat,
                receipt.participant,
                receipt.status.value,
            )
        return None

    def committed(self) -> Committed:
        """Return the answer for the caller."""
        return Committed(
            applied=self.live,
            early=self.early,
            fenced=self.fenced,
            rows=self.rows,
            transferred=self.transferred,
        )


BESIDE: Final = (ChatMerged, CommandResolved)
"""What may be announced right before an event or right after it; one of a kind for each."""


def beside_id(event_id: str, kind: type[ChatMerged | CommandResolved]) -> str:
    """Return the id of what is announced beside an event: the same for each attempt at it."""
    return f"{event_id}-{kind.model_fields['type'].default.split('.')[2]}"


def is_uncertain_end(change: Change) -> bool:
    """Whether a change ends a command of an owned session as uncertain."""
    outcome, is_owned = change.outcome, change.epoch is not None
    return is_owned and outcome is not None and outcome.state is CommandState.UNCERTAIN


def live(steps: Iterable[Step]) -> Iterator[Step]:
    """Return those that still take effect."""
    return (step for step in steps if step.live)


def segments(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Cut a batch so that no part has a change behind its session's deletion or transfer.

    Within a part the order of the statements is free; a deletion or a transfer ends what came
    before it, and what comes after it finds the session gone. Nor has a part a message of the
    account's own and a receipt of it that names another chat, or what another device shows of it:
    whether that is the same person's is asked of what is stored. An uncertain end comes last, and
    what has shown its message before is in another part: see `uncertain_ends`.
    """
    part: list[Step] = []
    gone: set[str] = set()
    named = _NamedMessages()
    for step in steps:
        if step.change.session_id in gone or not named.add(step.change):
            yield part
            part, gone, named = [], set(), _NamedMessages()
            named.add(step.change)
        part.append(step)
        if step.change.delete or step.change.transfer is not None:
            gone.add(step.change.session_id)
        if is_uncertain_end(step.change):
            yield part
            part, gone, named = [], set(), _NamedMessages()
    if part:
        yield part


class _NamedMessages:
    """The account's own messages in a part of a batch, and those that its receipts name."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, str], str] = {}
        self._confirmed: dict[tuple[str, str], set[str]] = {}

    def add(self, change: Change) -> bool:
        """Take a change; False if its message or receipt contradicts what there is by its chat."""
        message, receipt = change.message, change.receipt
        if receipt is not None:
            which = (change.session_id, receipt.message_id)
            self._confirmed.setdefault(which, set()).add(receipt.chat)
            return self._sent.get(which, receipt.chat) == receipt.chat
        if message is not None and message.direction is Direction.OUT:
            which = (change.session_id, message.message_id)
            if which in self._sent or (message.is_uncertain and which in self._confirmed):
                return False
            self._sent[which] = message.chat
            return self._confirmed.get(which, {message.chat}) == {message.chat}
        return True
