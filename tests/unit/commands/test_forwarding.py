"""A command that another worker owns stays with the broker, whatever happens."""

from gateway_contracts import SessionGetStatus, encode
from gateway_worker.broker.delivery import CommandDelivery
from gateway_worker.broker.room import Room
from gateway_worker.commands.forwarding import Forwarder
from gateway_worker.commands.handover_path import Step
from gateway_worker.commands.ports import Settlement
from tests.support.publications import MemoryPublications, Published
from tests.support.settling import MemorySettler
from tests.unit.broker.test_delivery_tracker import handle, message

COMMAND = SessionGetStatus(source="/backends/test", subject="s")
STEP = Step(worker_id="other", stage=2, hop=5)


def delivered(settler: MemorySettler) -> CommandDelivery:
    """Return a command as the broker handed it over."""
    return CommandDelivery(
        message=message(encode(COMMAND)),
        handle=handle(1),
        key=None,
        queue="q",
        origin="me",
        settler=settler,
        room=Room.of_own(0),
    )


async def test_it_is_acknowledged_once_the_broker_has_it_again() -> None:
    """The same body, for the owner."""
    publications, settler = MemoryPublications(), MemorySettler()
    assert await Forwarder(publisher=publications).forward(delivered(settler), STEP)
    assert publications.to_workers == {
        "other": [Published(body=encode(COMMAND), message_id="m1", stage=2, hop=5)]
    }
    assert settler.settled == [Settlement.ACK]


async def test_it_stays_unsettled_if_it_cannot_be_published() -> None:
    """Given back, it would come after what is later."""
    publications, settler = MemoryPublications(), MemorySettler()
    publications.is_away = True
    assert not await Forwarder(publisher=publications).forward(delivered(settler), STEP)
    assert settler.settled == []
