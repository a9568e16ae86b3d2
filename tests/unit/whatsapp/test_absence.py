"""When a host gives its connection up: after its time, never earlier, and not while it is busy."""

import math

from gateway_worker.whatsapp.host.absence import BUSY_LOOK_SECONDS, Absence


def test_a_host_that_is_connected_stays() -> None:
    """However long ago it began."""
    absence = Absence(patience_seconds=20)

    assert not absence.is_too_long(1_000, is_busy=False)
    assert absence.look_in_seconds(1_000) == math.inf


def test_a_host_leaves_when_its_time_is_over() -> None:
    """And looks again at that very moment, not before."""
    absence = Absence(patience_seconds=20)
    absence.began(100)

    assert not absence.is_too_long(119.9, is_busy=False)
    assert absence.look_in_seconds(105) == 15
    assert absence.is_too_long(120, is_busy=False)


def test_the_time_counts_from_the_first_word() -> None:
    """The library tells of each attempt that fails."""
    absence = Absence(patience_seconds=20)
    absence.began(100)
    absence.began(115)

    assert absence.is_too_long(120, is_busy=False)


def test_a_connection_that_came_back_is_a_new_beginning() -> None:
    """The next time it goes, all of the time is there again."""
    absence = Absence(patience_seconds=20)
    absence.began(100)
    absence.over()

    assert not absence.is_too_long(500, is_busy=False)
    absence.began(500)
    assert not absence.is_too_long(519, is_busy=False)
    assert absence.is_too_long(520, is_busy=False)


def test_a_request_that_runs_is_waited_for() -> None:
    """It is looked at again soon, for its end is not told."""
    absence = Absence(patience_seconds=20)
    absence.began(100)

    assert not absence.is_too_long(130, is_busy=True)
    assert absence.look_in_seconds(130) == BUSY_LOOK_SECONDS
    assert absence.is_too_long(130.5, is_busy=False)


def test_without_a_limit_it_waits_for_ever() -> None:
    """As a host does that was not told of one."""
    absence = Absence(patience_seconds=0)
    absence.began(100)

    assert not absence.is_too_long(1e9, is_busy=False)
