"""When the messages of a session's chats disappear.

WhatsApp leaves it to the sender: each message says by itself after how long it goes. So what chats
were set to is kept, and what is sent there says the same.
"""

from collections.abc import Iterable

from gateway_worker.sessions.changes import TimerRow


class ChatTimers:
    """The timers of one session's chats, as far as they are known here.

    What arrives is noted at once; what came before is read when the first message is sent.

    Attributes:
        is_loaded: Whether what came before has been read.
    """

    def __init__(self) -> None:
        self._rows: dict[str, TimerRow] = {}
        self.is_loaded = False

    def load(self, rows: Iterable[TimerRow]) -> None:
        """Take what came before."""
        for row in rows:
            self.note(row)
        self.is_loaded = True

    def note(self, row: TimerRow) -> bool:
        """Take what a chat was set to; returns whether that is news."""
        known = self._rows.get(row.chat)
        if known is not None and (known.set_at > row.set_at or known.seconds == row.seconds):
            return False
        self._rows[row.chat] = row
        return True

    def seconds(self, chats: Iterable[str]) -> int | None:
        """Return after how long messages of a chat disappear; None if nothing was ever said of it.

        Args:
            chats: The ids of the one chat, under any of which it may be known.
        """
        found = [self._rows[chat] for chat in chats if chat in self._rows]
        return max(found, key=lambda row: row.set_at).seconds if found else None

    def __bool__(self) -> bool:
        return any(row.seconds for row in self._rows.values())
