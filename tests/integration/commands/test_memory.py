"""What is left in memory of commands that have ended: nothing."""

import gc

from gateway_contracts import SessionGetStatus
from gateway_worker.broker.delivery import CommandDelivery
from gateway_worker.devkit.backend import Backend
from tests.integration.commands.support import Station
from tests.integration.commands.test_outcomes import send
from tests.support.eventually import eventually


async def test_a_command_is_gone_without_a_search_for_garbage(
    station: Station, backend: Backend
) -> None:
    """That is seldom made, and a body may be large; whatever has become of the command."""
    gc.collect()
    gc.disable()
    try:
        before = deliveries()
        asked = [SessionGetStatus(source="/backends/test", subject="a") for _ in range(10)]
        for command in (*asked, *(send("a") for _ in range(10))):
            await backend.publish(command)
            await backend.outcome(command.id)
        for number in range(10):
            await backend.publish_raw(b"{}", session_id="a", message_id=f"no command {number}")
        await eventually(lambda: station.broker.stats().dead_lettered == 10)
        await eventually(lambda: station.consumer.in_flight == 0)
        await eventually(lambda: deliveries() <= before)
    finally:
        gc.enable()


def deliveries() -> int:
    """Count those that are in memory."""
    return sum(isinstance(one, CommandDelivery) for one in gc.get_objects())
