"""The spool against a plain list: any order of appending, reading, acknowledging, restarting."""

from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway_worker.whatsapp.host.spool import Spool


class SpoolMachine(RuleBasedStateMachine):
    """Any order of appending, reading, acknowledging and restarting, against a plain list."""

    @initialize()
    def begin(self) -> None:
        """Start with an empty spool."""
        import tempfile  # noqa: PLC0415 - hypothesis makes one machine per example

        self.folder = tempfile.TemporaryDirectory()
        self.stored: list[bytes] = []
        self.acknowledged = 0
        self.read = 0
        self.open()

    def open(self) -> None:
        """Open the spool."""
        self.spool = Spool.open(
            directory=Path(self.folder.name), limit_bytes=10**6, segment_bytes=120, sync=False
        )

    @rule(payload=st.binary(max_size=60))
    def append(self, payload: bytes) -> None:
        """Store a record."""
        self.stored.append(payload)
        assert self.spool.append(1, 2, payload) == len(self.stored)

    @rule()
    def read_one(self) -> None:
        """Read the next record."""
        record = self.spool.read()
        if record is None:
            assert max(self.read, self.acknowledged) == len(self.stored)
            return
        self.read = max(self.read, self.acknowledged) + 1
        assert (record.number, record.payload) == (self.read, self.stored[self.read - 1])

    @rule(share=st.floats(0, 1))
    def acknowledge(self, share: float) -> None:
        """Acknowledge some of what was read."""
        number = int(self.read * share)
        self.spool.acknowledge(number)
        self.acknowledged = max(self.acknowledged, number)

    @rule()
    def restart(self) -> None:
        """Open it anew."""
        self.spool.close()
        self.read = self.acknowledged
        self.open()

    @invariant()
    def nothing_is_missing(self) -> None:
        """What is not acknowledged is pending."""
        if hasattr(self, "spool"):
            assert self.spool.pending == len(self.stored) - self.acknowledged

    def teardown(self) -> None:
        """Remove the files."""
        if hasattr(self, "spool"):
            self.spool.close()
            self.folder.cleanup()


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
