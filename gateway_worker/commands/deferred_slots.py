"""How many deferred sends run at a time in a worker, and what room they leave to conversations.

A deferred send takes a slot when it begins, and gives it back when it ends or waits for something.
While a conversation goes on at this worker there are half of the slots, and each rests after a send
for some times as long as that one took, for a while at most: on a busy machine sends take longer,
and so do the pauses; what the network takes is no load. For the same reason a send that takes long
does not keep its slot: it waits for WhatsApp, and would hold up the bulks of all other sessions.
And when a send begins that somebody waits for, no deferred one begins beside it for a moment.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

CONVERSATION_SECONDS: Final = 5.0
"""So long after a message of a conversation its answer is expected."""
LONG_SECONDS: Final = 2.0
"""After so long a send that runs has its slot no more."""
AHEAD_SECONDS: Final = 0.02
"""So long no deferred send begins after one has begun that somebody waits for: about as long as
that one keeps the processors busy."""
LONGEST_PAUSE_SECONDS: Final = 0.15
"""For so long at most a slot rests, or sends that begin one after the other go ahead."""
_REST: Final = 4.0
"""How many times as long as its send a slot rests."""


@dataclass(eq=False, slots=True, kw_only=True)
class Slot:
    """A slot that was taken.

    Attributes:
        taken_at: When, by the monotonic clock.
        alarm: What takes it away again if it is kept for long.
        is_kept: Whether it counts still.
    """

    taken_at: float
    alarm: asyncio.TimerHandle | None = None
    is_kept: bool = True


class DeferredSlots:
    """The slots of one worker.

    Args:
        slots: How many there are while nobody converses.
        conversation_seconds: See `CONVERSATION_SECONDS`; 0: conversations make no difference.
        long_seconds: See `LONG_SECONDS`.
        ahead_seconds: See `AHEAD_SECONDS`.
        longest_pause_seconds: See `LONGEST_PAUSE_SECONDS`.
    """

    def __init__(
        self,
        *,
        slots: int,
        conversation_seconds: float = CONVERSATION_SECONDS,
        long_seconds: float = LONG_SECONDS,
        ahead_seconds: float = AHEAD_SECONDS,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self._slots = slots
        self._long_seconds = long_seconds
        self._conversation_seconds = conversation_seconds
        self._ahead_seconds = ahead_seconds
        self._longest_pause_seconds = longest_pause_seconds
        self._on_free: Callable[[], None] = lambda: None
        self._taken = 0
        self._resting = 0
        self._converses_until = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._goes_ahead_since = self._goes_ahead_until = 0.0
        self._ahead_alarm: asyncio.TimerHandle | None = None

    def when_free(self, on_free: Callable[[], None]) -> None:
        """Call `on_free` whenever there may be room again."""
        self._on_free = on_free

    @property
    def has_room(self) -> bool:
        """Whether one more may begin now."""
        if self._ahead_alarm is not None:
            return False
        limit = max(1, self._slots // 2) if self._converses else self._slots
        return self._taken + self._resting < limit

    def note_conversation(self) -> None:
        """Note that somebody has written, or is written to. Cheap."""
        if not self._conversation_seconds:
            return
        self._converses_until = time.monotonic() + self._conversation_seconds
        if self._alarm is None:
            self._watch()

    def note_send(self) -> None:
        """Note that a send begins that somebody waits for, which goes ahead. Cheap."""
        if not self._conversation_seconds:
            return
        self.note_conversation()
        now = time.monotonic()
        if self._ahead_alarm is None:
            self._goes_ahead_since = now
        most = self._goes_ahead_since + self._longest_pause_seconds
        self._goes_ahead_until = min(now + self._ahead_seconds, most)
        if self._ahead_alarm is None:
            left = self._goes_ahead_until - now
            self._ahead_alarm = self._call_later(left, self._has_gone_ahead)

    def take(self) -> Slot:
        """Take a slot, whether there is room or not."""
        self._taken += 1
        slot = Slot(taken_at=time.monotonic())
        slot.alarm = self._call_later(self._long_seconds, partial(self._take_away, slot))
        return slot

    def give_back(self, slot: Slot) -> None:
        """Give back a slot."""
        if slot.alarm is not None:
            slot.alarm.cancel()
        if not slot.is_kept:
            return
        slot.is_kept = False
        self._taken -= 1
        if self._converses:
            self._resting += 1
            took = time.monotonic() - slot.taken_at
            self._call_later(min(self._longest_pause_seconds, _REST * took), self._rested)
        else:
            self._on_free()

    @property
    def _converses(self) -> bool:
        return time.monotonic() < self._converses_until

    @staticmethod
    def _call_later(seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, seconds), callback)

    def _take_away(self, slot: Slot) -> None:
        slot.is_kept = False
        self._taken -= 1
        self._on_free()

    def _rested(self) -> None:
        self._resting -= 1
        self._on_free()

    def _has_gone_ahead(self) -> None:
        """Have deferred sends begin again, unless another send has come meanwhile."""
        left = self._goes_ahead_until - time.monotonic()
        if left > 0:
            self._ahead_alarm = self._call_later(left, self._has_gone_ahead)
        else:
            self._ahead_alarm = None
            self._on_free()

    def _watch(self) -> None:
        """Look again when the conversation may be over: then there are more slots."""
        left = self._converses_until - time.monotonic()
        self._alarm = self._call_later(left, self._calmed)

    def _calmed(self) -> None:
        self._alarm = None
        if self._converses:
            self._watch()
        else:
            self._on_free()
