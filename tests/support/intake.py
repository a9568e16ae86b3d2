"""Which queues a worker consumes, in memory; the port's tests run against it and the broker."""

from tests.support.ports import UnaskedIntake


class MemoryIntake(UnaskedIntake):
    """The queues of dead workers that are consumed here. Whoever asks for more has failed.

    Attributes:
        attended: Whose are consumed.
        removed: Whose were removed, in that order.
        needed: Whose cannot be removed: something is in them.
    """

    def __init__(self) -> None:
        self.attended: set[str] = set()
        self.removed: list[str] = []
        self.needed: set[str] = set()

    def attend(self, worker_id: str) -> None:
        """Consume it too."""
        self.attended.add(worker_id)

    async def dismiss(self, worker_id: str) -> None:
        """Leave it."""
        self.attended.discard(worker_id)

    async def remove_queue(self, worker_id: str) -> bool:
        """Remove it, unless it is attended or needed."""
        if worker_id in self.attended | self.needed:
            return False
        self.removed.append(worker_id)
        return True
