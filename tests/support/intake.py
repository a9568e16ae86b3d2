"""Which queues a worker consumes, in memory; the port's tests run against it and the broker."""

from tests.support.ports import UnaskedIntake


class MemoryIntake(UnaskedIntake):
    """The queues of dead workers that are consumed here. Whoever asks for more has failed."""

    def __init__(self) -> None:
        self.attended: set[str] = set()

    def attend(self, worker_id: str) -> None:
        """Consume it too."""
        self.attended.add(worker_id)

    async def dismiss(self, worker_id: str) -> None:
        """Leave it."""
        self.attended.discard(worker_id)
