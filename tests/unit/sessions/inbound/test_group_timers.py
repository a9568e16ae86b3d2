"""What groups are set to is kept, as of all chats."""

from datetime import UTC, datetime

import pytest

from gateway_contracts import (
    GroupAspect,
    GroupDetails,
    GroupJoined,
    GroupJoinedData,
    GroupUpdated,
    GroupUpdatedData,
)
from gateway_worker.sessions.changes import TimerRow
from gateway_worker.sessions.inbound.rows import change_of

GROUP = "120363025550100001@g.us"
AT = datetime(2026, 11, 24, 9, 20, 2, tzinfo=UTC)


def timer_of(event: GroupJoined | GroupUpdated) -> TimerRow | None:
    """Return what is kept of an event."""
    return change_of(event, session_id="s", epoch=1).timer


@pytest.mark.parametrize("seconds", [None, 86_400])
def test_a_change_of_the_timer(seconds: int | None) -> None:
    """Also that it was taken off."""
    data = GroupUpdatedData(
        chat=GROUP, timestamp=AT, what=(GroupAspect.TIMER,), disappearing_seconds=seconds
    )
    event = GroupUpdated(source="/workers/w", subject="s", data=data)
    assert timer_of(event) == TimerRow(chat=GROUP, seconds=seconds or 0, set_at=AT)


def test_another_change() -> None:
    """It says nothing of the timer."""
    data = GroupUpdatedData(chat=GROUP, timestamp=AT, what=(GroupAspect.NAME,), name="New")
    assert timer_of(GroupUpdated(source="/workers/w", subject="s", data=data)) is None


@pytest.mark.parametrize("seconds", [None, 86_400])
def test_a_group_that_the_account_is_in(seconds: int | None) -> None:
    """Its timer counts as older than any change of it."""
    details = GroupDetails(group=GROUP, name="Club", created_at=AT, disappearing_seconds=seconds)
    data = GroupJoinedData(chat=GROUP, details=details)
    row = timer_of(GroupJoined(source="/workers/w", subject="s", data=data))
    if seconds is None:
        assert row is None
    else:
        assert row is not None
        assert (row.chat, row.seconds) == (GROUP, seconds)
        assert row.set_at < AT
