"""What came to a backend is found by position and by what it is about, and does not grow."""

import pytest

from gateway_contracts import CommandFailed, ErrorBody, ErrorCode
from gateway_contracts.events.outcome import CommandFailedData
from gateway_worker.devkit import received as module
from gateway_worker.devkit.received import ReceivedEvent, ReceivedEvents


def arrival(number: int, session: str, command: str) -> ReceivedEvent:
    """Return an event that tells of a command's end."""
    error = ErrorBody.of(ErrorCode.EXPIRED)
    event = CommandFailed(
        id=f"e{number}",
        source="/workers/w",
        subject=session,
        correlationid=command,
        data=CommandFailedData(error=error),
    )
    return ReceivedEvent(routing_key=f"key.{number}", body=b"", event=event)


def filled(count: int) -> ReceivedEvents:
    """Return events of two sessions in turn, each the end of a command of its own."""
    found = ReceivedEvents()
    for number in range(count):
        assert found.add(arrival(number, "ab"[number % 2], f"c{number}"))
    return found


def numbers(found: ReceivedEvents, key: str, after: int = 0) -> list[int]:
    """Return the positions of what is about something; each event is the one that came there."""
    pairs = list(found.about(key, after=after))
    assert [one.event.id for _, one in pairs] == [f"e{position}" for position, _ in pairs]
    return [position for position, _ in pairs]


def test_found_by_position_session_and_command() -> None:
    """As a list is read; and without looking at what others were sent."""
    found = filled(6)
    assert len(found) == 6
    assert [one.event.id for one in found[4:]] == ["e4", "e5"]
    assert found[-1] is found[5]
    assert numbers(found, "a") == [0, 2, 4]
    assert numbers(found, "a", after=1) == [2, 4]
    assert numbers(found, "c3") == [3]
    assert numbers(found, "c9") == []


def test_an_event_that_comes_again_is_not_kept_twice() -> None:
    """It is told by its id."""
    found = filled(2)
    assert not found.add(arrival(1, "b", "c1"))
    assert len(found) == 2


def test_old_events_go_and_positions_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody takes the part that is kept for all that came."""
    monkeypatch.setattr(module, "KEPT", 5)
    found = filled(12)
    assert len(found) == 12
    assert [one.event.id for one in found] == [f"e{number}" for number in range(5, 12)]
    assert numbers(found, "a") == [6, 8, 10]
    assert numbers(found, "c4") == []
    assert [one.event.id for one in found[10:]] == ["e10", "e11"]
    with pytest.raises(IndexError, match="newest 7 events"):
        found[3:]
