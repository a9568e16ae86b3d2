"""The times of a command's steps."""

import time

from gateway_worker.commands.stopwatch import Stopwatch


def test_steps_add_up_to_the_whole() -> None:
    """A step that comes twice has the sum; what was taken elsewhere is noted as it is."""
    stopwatch = Stopwatch(arrived=time.monotonic() - 5.0)
    stopwatch.lap("queue")
    stopwatch.lap("commit")
    stopwatch.lap("queue")
    stopwatch.note("library", 1.25)

    fields = stopwatch.fields()
    assert fields["library_seconds"] == 1.25
    assert fields["queue_seconds"] >= 5.0
    assert set(fields) == {"queue_seconds", "commit_seconds", "library_seconds"}
    assert stopwatch.total_seconds >= stopwatch.seconds("queue") + stopwatch.seconds("commit")
    assert stopwatch.seconds("never") == 0.0
