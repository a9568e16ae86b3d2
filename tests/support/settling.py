"""Settles deliveries in memory; the port's tests run against it and the broker."""

from gateway_worker.broker.delivery import CommandDelivery, Settler
from gateway_worker.commands.ports import Refusal, Settlement


class MemorySettler(Settler):
    """Notes what became of deliveries, in order."""

    def __init__(self) -> None:
        self.settled: list[Settlement] = []

    async def settle(
        self, delivery: CommandDelivery, settlement: Settlement, refusal: Refusal | None
    ) -> None:
        """Note it."""
        self.settled.append(settlement)
