"""The latest word of a chat's timer counts, whichever way and in whichever order it comes."""

from datetime import UTC, datetime, timedelta

from gateway_worker.sessions.changes import TimerRow
from gateway_worker.sessions.chat_timers import ChatTimers

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NUMBER, LID = "15550100002@s.whatsapp.net", "100000000000002@lid"


def row(seconds: int, minutes: int = 0, chat: str = NUMBER) -> TimerRow:
    """Return what a chat was set to, some minutes after noon."""
    return TimerRow(chat=chat, seconds=seconds, set_at=NOON + timedelta(minutes=minutes))


def test_nothing_is_known_of_a_chat() -> None:
    """Until something is said of it, or read."""
    timers = ChatTimers()

    assert (timers.seconds((NUMBER,)), bool(timers), timers.is_loaded) == (None, False, False)
    timers.load([row(60)])
    assert (timers.seconds((NUMBER,)), bool(timers), timers.is_loaded) == (60, True, True)


def test_the_latest_word_counts() -> None:
    """Not the last one to be noted: a repeat from before changes nothing."""
    timers = ChatTimers()
    assert timers.note(row(0, minutes=2))
    timers.load([row(60, minutes=1)])

    assert not timers.note(row(90, minutes=1))
    assert (timers.seconds((NUMBER,)), bool(timers)) == (0, False)
    assert timers.note(row(90, minutes=3))
    assert not timers.note(row(90, minutes=4))
    assert timers.seconds((NUMBER,)) == 90


def test_a_chat_under_two_ids() -> None:
    """The later word of both counts."""
    timers = ChatTimers()
    timers.load([row(60, minutes=1), row(0, minutes=2, chat=LID)])

    assert timers.seconds((NUMBER, LID)) == 0
    assert timers.seconds((NUMBER,)) == 60
