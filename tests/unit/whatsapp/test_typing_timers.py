"""What is shown of the account in chats ends after some seconds."""

import threading

from gateway_worker.whatsapp.host.typing_timers import MOST_CHATS, TypingTimers

PATIENCE_SECONDS = 10.0
LATER_SECONDS = 600.0


def test_it_ends_in_each_chat_by_itself() -> None:
    """And only once."""
    timers, ended = TypingTimers(), [threading.Event() for _ in range(3)]
    for number, event in enumerate(ended):
        timers.after(f"chat {number}", 0.001, event.set)
    assert all(event.wait(PATIENCE_SECONDS) for event in ended)


def test_what_is_shown_later_takes_its_place() -> None:
    """What was to end the earlier one does not."""
    timers, earlier, later = TypingTimers(), threading.Event(), threading.Event()
    timers.after("chat", LATER_SECONDS, earlier.set)
    (waiting,) = (one for one in threading.enumerate() if isinstance(one, threading.Timer))
    timers.after("chat", 0.001, later.set)
    assert later.wait(PATIENCE_SECONDS)
    waiting.join(PATIENCE_SECONDS)
    assert not waiting.is_alive()
    assert not earlier.is_set()


def test_only_so_many_chats_wait() -> None:
    """The oldest is left to the others' apps."""
    timers, before = TypingTimers(), threading.active_count()
    for number in range(MOST_CHATS + 10):
        timers.after(f"chat {number}", LATER_SECONDS, lambda: None)
    for number in range(10, MOST_CHATS + 10):
        timers.forget(f"chat {number}")
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(PATIENCE_SECONDS)
    assert threading.active_count() == before
