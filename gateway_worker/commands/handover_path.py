"""Where a message of a session goes next: along its owners, in the order in which they had it.

A session that went from worker A to B to C may have commands in three queues. Each handover that is
not over is an entry of the session's `pending`. What was in A's queue first goes through B's queue
to C's, after all that went this way before it, and so does the marker that ends it. So nothing of a
queue is overtaken by its marker, however many handovers are under way at once and whoever dies
meanwhile.

Two numbers travel with a message: its stage, which is the epoch of the entry that ended the queue
in which it was first; and its hop, the epoch of the entry that it travelled last. Only what is in
its first queue has none. Pure functions; `dispatcher` acts on them.

Why the order holds, also if workers die again and again between a publish and its acknowledgement:

1. A worker deals with a session's messages in the order of the queue that hands them out, and
   sends one on only when the broker has confirmed the one before. What was sent on and not
   acknowledged comes again at its old place (`broker/redelivery_buffer`). So in every queue of the
   path the first copies of a stage's messages are in the order in which they were published.
   Further copies come after them, or by a shorter way, but then in a later stage or as what comes
   directly.
2. The marker of a stage enters the stage's queue when the session is not bound to that any more,
   and takes the same path. When it has come to the owner, so have the first copies of all that is
   older.
3. The owner gives the stages their turn in the order of their epochs (`hold_back_queue`). Copies of
   a command that are in two stages are two deliveries: the one that waits keeps no other back.
4. An entry leaves the path only when every command up to its marker has an outcome. Until then each
   further owner has the markers sent again, and waits for them. What comes of the stage afterwards
   are copies of what has an outcome, and that is told once more.

Nothing is dropped on the way: a delivery is acknowledged when its copy is confirmed, or its outcome
is committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway_worker.sessions.ports import PendingMarker, Whereabouts

OLDEST = 0
"""The stage of what is older than all that waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a message says of the way that it has come.

    Attributes:
        queue_of: The worker in whose queue it is; None for the shared queue.
        came_from: The worker from whose queue it was first sent on; None if it was not.
        stage: The epoch of the entry that ended its first queue; None if there was none.
        hop: The epoch of the entry that it travelled last.
    """

    queue_of: str | None
    came_from: str | None = None
    stage: int | None = None
    hop: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Into whose queue a message belongs next, and what it has to say there.

    Attributes:
        worker_id: The worker; if the message is in its queue already, it stays there.
        stage: None: it was in the owner's own queue first, which has its turn last.
        hop: The entry that it travels with this step.
    """

    worker_id: str
    stage: int | None
    hop: int


def next_step(way: Way, owner: str, where: Whereabouts) -> Step:
    """Decide on a command.

    Args:
        way: Where it is and how it came there.
        owner: The worker that has the session.
        where: The rest of what is known of the session.
    """
    if way.stage is not None and way.hop is not None:
        return _onward(way.stage, way.hop, owner, where)
    if way.came_from is not None and way.hop is None:
        # Sent on by an earlier release, which told no stages.
        return Step(worker_id=owner, stage=OLDEST, hop=where.epoch)
    stage = _first_stage(way, where.pending)
    if stage is None:
        return Step(worker_id=owner, stage=None, hop=where.epoch)
    return _onward(stage, stage - 1, owner, where)


def next_step_of_marker(way: Way, epoch: int, owner: str, where: Whereabouts) -> Step | None:
    """Decide on the marker of an epoch; None if nobody waits for it any more."""
    if find_entry(epoch, where.pending) is None:
        return None
    return _onward(epoch, epoch - 1 if way.hop is None else way.hop, owner, where)


def find_entry(epoch: int, pending: Sequence[PendingMarker]) -> PendingMarker | None:
    """Return the pending entry of an epoch, if there is one."""
    return next((entry for entry in pending if entry.epoch == epoch), None)


def _first_stage(way: Way, pending: Sequence[PendingMarker]) -> int | None:
    """Return the stage of a command that is in its first queue; None if it has its turn last.

    The entries of a worker that had the session several times divide its queue: each marker that
    has left it ends one part. What lies after the last one counts as published now: the worker
    has the session again, or it is a repetition of something that has been sent on before. What was
    sent here for that reason says since when, and has nothing to do with what ended before.
    """
    since = way.hop or 0
    parts = (
        entry.epoch
        for entry in pending
        if entry.queue_of == way.queue_of and not entry.left and entry.epoch > since
    )
    return next(parts, None)


def _onward(stage: int, hop: int, owner: str, where: Whereabouts) -> Step:
    for index, entry in enumerate(where.pending):
        if entry.epoch > hop:
            following = where.pending[index + 1 : index + 2]
            worker_id = following[0].queue_of if following else owner
            return Step(worker_id=worker_id, stage=stage, hop=entry.epoch)
    return Step(worker_id=owner, stage=stage, hop=max(hop, where.epoch))
