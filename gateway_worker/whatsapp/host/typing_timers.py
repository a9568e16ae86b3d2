"""Ends what is shown of the account in chats, some seconds after it began."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_CHATS: Final = 100
"""Each has a thread while it waits. Where there are more, the others' apps end it by themselves."""


class TypingTimers:
    """The chats in which it shows that the account writes. For every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._timers: OrderedDict[str, threading.Timer] = OrderedDict()

    def after(self, chat: str, seconds: float, end: Callable[[], None]) -> None:
        """Call `end`, which must not raise, unless something else is shown in the chat by then."""
        timer = threading.Timer(seconds, self._end, args=(chat, end))
        timer.daemon = True
        self.forget(chat)
        with self._lock:
            self._timers[chat] = timer
            if len(self._timers) > MOST_CHATS:
                self._timers.popitem(last=False)[1].cancel()
        timer.start()

    def forget(self, chat: str) -> None:
        """Leave a chat as it is."""
        with self._lock:
            timer = self._timers.pop(chat, None)
        if timer is not None:
            timer.cancel()

    def _end(self, chat: str, end: Callable[[], None]) -> None:
        with self._lock:
            if self._timers.get(chat) is not threading.current_thread():
                return
            del self._timers[chat]
        end()
