"""When a host gives its connection up: after its time, never earlier, and not while it is busy."""

import math

from gateway_worker.whatsapp.host.disconnect_timer import BUSY_LOOK_SECONDS, DisconnectTimer


def test_a_host_that_is_connected_stays() -> None:
    """However long ago it began."""
    timer = DisconnectTimer(patience_seconds=20)

    assert not timer.has_expired(1_000, is_busy=False)
    assert timer.seconds_to_look(1_000) == math.inf


def test_a_host_leaves_when_its_time_is_over() -> None:
    """And looks again at that very moment, not before."""
    timer = DisconnectTimer(patience_seconds=20)
    timer.disconnected(100)

    assert not timer.has_expired(119.9, is_busy=False)
    assert timer.seconds_to_look(105) == 15
    assert timer.has_expired(120, is_busy=False)


def test_the_time_counts_from_the_first_word() -> None:
    """The library tells of each attempt that fails."""
    timer = DisconnectTimer(patience_seconds=20)
    timer.disconnected(100)
    timer.disconnected(115)

    assert timer.has_expired(120, is_busy=False)


def test_a_connection_that_came_back_is_a_new_beginning() -> None:
    """The next time it goes, all of the time is there again."""
    timer = DisconnectTimer(patience_seconds=20)
    timer.disconnected(100)
    timer.connected()

    assert not timer.has_expired(500, is_busy=False)
    timer.disconnected(500)
    assert not timer.has_expired(519, is_busy=False)
    assert timer.has_expired(520, is_busy=False)


def test_a_request_that_runs_is_waited_for() -> None:
    """It is looked at again soon, for its end is not told."""
    timer = DisconnectTimer(patience_seconds=20)
    timer.disconnected(100)

    assert not timer.has_expired(130, is_busy=True)
    assert timer.seconds_to_look(130) == BUSY_LOOK_SECONDS
    assert timer.has_expired(130.5, is_busy=False)


def test_without_a_limit_it_waits_for_ever() -> None:
    """As a host does that was not told of one."""
    timer = DisconnectTimer(patience_seconds=0)
    timer.disconnected(100)

    assert not timer.has_expired(1e9, is_busy=False)
