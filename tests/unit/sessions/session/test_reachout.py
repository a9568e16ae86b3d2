"""How long no new chat is tried after WhatsApp has refused one."""

from gateway_worker.sessions.changes import Reachout
from gateway_worker.sessions.session.reachout import ReachoutHold
from tests.support.clocks import ManualClock


def hold(
    clock: ManualClock, written: list[Reachout], state: Reachout | None = None
) -> ReachoutHold:
    """Return a hold of a minute at first, and of three at most."""
    return ReachoutHold(
        session_id="s",
        state=state or Reachout(),
        clock=clock,
        initial_seconds=60,
        maximum_seconds=180,
        write=written.append,
    )


def test_each_refusal_holds_longer_up_to_a_bound() -> None:
    """Until WhatsApp takes one again; every change is written down."""
    clock, written = ManualClock(), list[Reachout]()
    of_session = hold(clock, written)

    assert [of_session.refused() for _ in range(3)] == [60, 120, 180]
    assert of_session.seconds_left == 180
    clock.seconds += 200
    assert (of_session.seconds_left, of_session.was_refused) == (0, True)
    of_session.accepted()
    assert (of_session.refused(), of_session.seconds_left) == (60, 60)
    assert [state.refusals for state in written] == [1, 2, 3, 0, 1]


def test_each_refusal_is_counted() -> None:
    """Whoever watches the fleet learns of it."""
    clock, counted = ManualClock(), list[bool]()
    of_session = ReachoutHold(
        session_id="s",
        state=Reachout(),
        clock=clock,
        initial_seconds=60,
        maximum_seconds=180,
        write=lambda _state: None,
        on_refused=lambda: counted.append(True),
    )

    of_session.refused()
    of_session.refused()
    of_session.accepted()

    assert len(counted) == 2


def test_it_goes_on_from_what_was_written() -> None:
    """A restart of the worker is no new attempt."""
    clock, written = ManualClock(), list[Reachout]()
    hold(clock, written).refused()

    after = hold(clock, written, written[-1])

    assert (after.seconds_left, after.refused()) == (60, 120)


def test_without_a_refusal_nothing_is_written() -> None:
    """A session that was never refused costs nothing."""
    written = list[Reachout]()
    of_session = hold(ManualClock(), written)

    of_session.accepted()

    assert (of_session.seconds_left, written) == (0, [])
