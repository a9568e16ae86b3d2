"""What workers send each other through their queues, in order with the commands of a session."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import orjson

MAX_PEER_MESSAGE_BYTES = 4_194_304
"""The largest peer message that a worker reads, in bytes: as much as the broker takes (see
`deploy/rabbitmq`). A message that arrived at a former owner may have some MiB, and is lost if its
new owner does not read it."""
MOST_EVENTS = 256
"""How many late messages one peer message may carry."""


class PeerMessageKind(StrEnum):
    """What a peer message says; it travels in the header `wa-control`."""

    MARKER = "marker"
    """The former owner's queue holds nothing of the session before this."""
    ADOPT = "adopt"
    """The session is yours now."""
    FORWARDED = "late"
    """Messages that arrived for the session at a former owner, and were not recorded there."""
    FOUND = "found"
    """What became of sends of a former owner, as its disk says."""
    LOG_LEVEL = "log_level"
    """Log from a level on; it is about no session."""


class PeerMessageError(ValueError):
    """A message to a peer cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerMessage:
    """A message to a peer.

    Attributes:
        kind: What it says.
        session_id: Whom it is about.
        epoch: Of a marker: the handover that it belongs to. Of late messages and found sends: that
            of the session as their sender knew it.
        events: Of late messages: the events that announce them, as JSON; of found sends: these; of
            a level: the one request.
    """

    kind: PeerMessageKind
    session_id: str
    epoch: int = 0
    events: Sequence[bytes] = field(default=())

    def encode(self) -> bytes:
        """Return the body; the kind is not in it."""
        events = [orjson.Fragment(event) for event in self.events]
        return orjson.dumps({"session": self.session_id, "epoch": self.epoch, "events": events})

    @classmethod
    def decode(cls, kind: str, body: bytes) -> "PeerMessage":
        """Read a peer message.

        Raises:
            PeerMessageError: It is none, too large, or one of a later release.
        """
        if len(body) > MAX_PEER_MESSAGE_BYTES:
            raise PeerMessageError(f"a peer message of {len(body)} bytes")
        try:
            values = orjson.loads(body)
            message = cls(
                kind=PeerMessageKind(kind),
                session_id=str(values["session"]),
                epoch=int(values["epoch"]),
                events=tuple(orjson.dumps(event) for event in values["events"][: MOST_EVENTS + 1]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise PeerMessageError(f"an unreadable peer message: {type(error).__name__}") from error
        if len(message.events) > MOST_EVENTS:
            raise PeerMessageError(f"a peer message with more than {MOST_EVENTS} events")
        return message


class PeerMessages(Protocol):
    """Publishes peer messages to workers."""

    async def send_peer_message(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Publish to a worker's own key, with confirms. Raises `DependencyError`."""
        ...
