"""When a host leaves because of the memory that it has kept: after transfers, and in quiet."""

import math

import pytest

from gateway_worker.whatsapp.host.memory_watch import LOOK_SECONDS, MemoryWatch


def watch(size: int | None, *, limit_bytes: int = 100) -> MemoryWatch:
    """Return the watch of a host of such a size."""
    return MemoryWatch(limit_bytes=limit_bytes, rest_seconds=60, measure=lambda: size)


def test_a_host_that_has_transferred_nothing_stays() -> None:
    """However large it is: a new one would become so too."""
    of = watch(1_000)

    assert of.seconds_to_look(1_000) == math.inf
    assert not of.has_kept_too_much(1_000, is_busy=False)


@pytest.mark.parametrize(("size", "leaves"), [(101, True), (100, False), (None, False)])
def test_a_host_is_judged_some_time_after_its_last_transfer(
    size: int | None,
    leaves: bool,  # noqa: FBT001
) -> None:
    """Once: what it uses later comes from something else."""
    of = watch(size)
    of.transferred(10)
    of.transferred(40)

    assert of.seconds_to_look(50) == 50
    assert not of.has_kept_too_much(99.9, is_busy=False)
    assert of.has_kept_too_much(100, is_busy=False) is leaves
    assert of.seconds_to_look(100) == math.inf


def test_a_host_that_is_busy_is_looked_at_again() -> None:
    """It leaves in the first quiet moment after that."""
    of = watch(1_000)
    of.transferred(0)

    assert not of.has_kept_too_much(60, is_busy=True)
    assert of.seconds_to_look(60) == LOOK_SECONDS
    assert of.has_kept_too_much(60 + LOOK_SECONDS, is_busy=False)


def test_no_limit() -> None:
    """Nobody is told to leave."""
    of = watch(1_000, limit_bytes=0)
    of.transferred(0)

    assert of.seconds_to_look(1_000) == math.inf
