"""A quorum queue whose consumers die one after another: what the last one hands on is in order."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from gateway_worker.broker.redelivery_buffer import RedeliveryBuffer
from tests.property.support import run


class QuorumQueue(RuleBasedStateMachine):
    """Numbers published in order, with what was given back in front, each part behind the last."""

    def __init__(self) -> None:
        super().__init__()
        self.published = 0
        self.fresh: list[int] = []
        self.returned: list[tuple[int, int]] = []
        self.settled: set[int] = set()

    @rule(count=st.integers(1, 4))
    def publish(self, count: int) -> None:
        """More comes."""
        self.fresh.extend(range(self.published, self.published + count))
        self.published += count

    @rule(taken=st.integers(1, 8), settles=st.lists(st.booleans(), min_size=8, max_size=8))
    def consume_and_die(self, taken: int, settles: list[bool]) -> None:
        """A consumer takes what is in front, settles some of it wherever it stands, and dies."""
        old, self.returned = self.returned[:taken], self.returned[taken:]
        new, self.fresh = self.fresh[: taken - len(old)], self.fresh[taken - len(old) :]
        in_hand = [*((number, count) for number, count in old), *((number, 0) for number in new)]
        for (number, count), is_settled in zip(in_hand, settles, strict=False):
            if is_settled:
                self.settled.add(number)
            else:
                self.returned.append((number, count + 1))

    def teardown(self) -> None:
        """One takes it all."""
        buffer: RedeliveryBuffer[int] = RedeliveryBuffer()
        handed_on = []
        for number, count in self.returned:
            handed_on.extend(buffer.add(number, returns=count))
        for number in self.fresh:
            handed_on.extend(buffer.add(number, returns=None))
        handed_on.extend(buffer.finish())
        assert handed_on == [
            number for number in range(self.published) if number not in self.settled
        ]


def test_whatever_was_given_back_is_handed_on_in_its_old_order() -> None:
    """However often consumers die, and with however much of the queue."""
    run(QuorumQueue, examples=300, steps=30)
