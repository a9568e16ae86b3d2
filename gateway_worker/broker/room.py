"""Room for the bodies of commands: one for those of the worker's own queue, one for all others'.

What a worker has left that died, or nobody has room for, may be more than anybody can hold. It
costs a worker's own commands neither time nor room: it comes on a connection of its own, which
alone is read slowly for it, and may take half as much before some of it is refused.
"""

from dataclasses import dataclass
from typing import Final, Self

from gateway_worker.broker.intake import Intake
from gateway_worker.broker.unsettled_bytes import SENDERS, UnsettledBytes

_OTHERS_PART: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is in memory of the commands of one connection.

    Attributes:
        intake: Counts all of it, and says how fast more is read.
        waiting: What waits, and what is too much; what is being refused does not count, else a
            sender's refusals would cost others their room.
    """

    intake: Intake
    waiting: UnsettledBytes

    @classmethod
    def of_own(cls, most_bytes: int) -> Self:
        """Return that of a worker's own queue, where so many bytes may wait."""
        return cls(
            intake=Intake(most_bytes=most_bytes),
            waiting=UnsettledBytes(most=most_bytes, of_sender=most_bytes // SENDERS),
        )

    @classmethod
    def of_others(cls, most_bytes: int) -> Self:
        """Return that of the queues of others, where so many bytes may wait in the own one.

        As much is read: what a queue has got back is in order only if all of it is here.
        """
        return cls(
            intake=Intake(most_bytes=most_bytes),
            waiting=UnsettledBytes(
                most=most_bytes // _OTHERS_PART, of_sender=most_bytes // SENDERS
            ),
        )
