"""The reading end of a symmetric chain: messages in whatever order they come, each once.

A message that arrives early leaves the seeds of those that it overtook, bounded by `MAX_AHEAD`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.signal.errors import DuplicateMessageError, TooFarAheadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway_worker.sandbox.signal.kdf import ChainKey

MAX_AHEAD: Final = 2000


@dataclass(slots=True, kw_only=True)
class ReadingChain:
    """Where a chain is read.

    Attributes:
        next_key: the step after the newest message that was read.
        skipped: seeds of messages that are still to come, by position, oldest first.
    """

    next_key: ChainKey
    skipped: dict[int, bytes] = field(default_factory=dict, repr=False)

    def open(self, position: int, unseal: Callable[[bytes], bytes]) -> bytes:
        """Open the message at a position; nothing changes unless that goes well.

        Args:
            position: of the message in the chain, from 0 on.
            unseal: opens the message with the seed of its keys, or raises.

        Raises:
            DuplicateMessageError: its seed was used before, or dropped as too old.
            TooFarAheadError: it is more than `MAX_AHEAD` messages ahead.
        """
        chain, passed = self.next_key, {}
        if position < chain.index:
            seed = self.skipped.get(position)
            if seed is None:
                raise DuplicateMessageError(f"old counter {position} < {chain.index}")
        else:
            if position - chain.index > MAX_AHEAD:
                raise TooFarAheadError(f"{position - chain.index} messages ahead")
            while chain.index < position:
                passed[chain.index] = chain.message_seed()
                chain = chain.following()
            seed = chain.message_seed()
            chain = chain.following()
        plaintext = unseal(seed)
        self.skipped.pop(position, None)
        self.skipped.update(passed)
        for oldest in list(self.skipped)[: max(len(self.skipped) - MAX_AHEAD, 0)]:
            del self.skipped[oldest]
        self.next_key = chain
        return plaintext
