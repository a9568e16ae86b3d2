"""A command that another worker owns stays with the broker, whatever happens."""

from gateway_contracts import SessionGetStatus, encode
from gateway_worker.broker.delivery import CommandDelivery
from gateway_worker.commands.forwarding import Forwarder
from gateway_worker.commands.handover_path import Step
from gateway_worker.commands.ports import Delivery, Settlement
from gateway_worker.errors import DependencyError
from tests.unit.broker.test_delivery_tracker import Clerk, handle, message

COMMAND = SessionGetStatus(source="/backends/test", subject="s")
STEP = Step(worker_id="other", stage=2, hop=5)


class Publisher:
    """Notes what it publishes, or cannot publish."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.published: list[tuple[bytes, str, int | None, int]] = []

    async def pass_on(
        self, delivery: Delivery, *, worker_id: str, stage: int | None, hop: int
    ) -> None:
        """Publish."""
        if self.away:
            raise DependencyError("away")
        self.published.append((delivery.body, worker_id, stage, hop))


class Letter:
    """A command as the broker handed it over, and how it was settled."""

    def __init__(self) -> None:
        self.clerk = Clerk()
        self.delivery = CommandDelivery(
            message=message(encode(COMMAND)),
            handle=handle(1),
            key=None,
            queue="q",
            origin="me",
            settler=self.clerk,
        )


async def test_it_is_acknowledged_once_the_broker_has_it_again() -> None:
    """The same body, for the owner."""
    publisher, letter = Publisher(), Letter()
    assert await Forwarder(publisher=publisher).forward(letter.delivery, STEP)
    assert publisher.published == [(letter.delivery.body, "other", 2, 5)]
    assert letter.clerk.told == [Settlement.ACK]


async def test_it_stays_in_hand_if_it_cannot_be_published() -> None:
    """Given back, it would come behind what is later."""
    letter = Letter()
    assert not await Forwarder(publisher=Publisher(away=True)).forward(letter.delivery, STEP)
    assert letter.clerk.told == []
