"""Carries out what becomes of a delivery: acknowledge, send to the dead letters, give back."""

from collections.abc import Callable, Sequence

import structlog

from gateway_worker.broker.dead_lettering import DeadLetter
from gateway_worker.broker.delivery import CommandDelivery, Handle
from gateway_worker.broker.delivery_tracker import DeliveryTracker
from gateway_worker.broker.publisher import Publisher
from gateway_worker.broker.stats import Counters
from gateway_worker.commands.ports import Refusal, Settlement
from gateway_worker.errors import GatewayError

log = structlog.get_logger(__name__)

NO_REASON = Refusal(code="internal", reason="no reason was given")


class Settlements:
    """Settles deliveries.

    Args:
        tracker: Where deliveries are in work.
        publisher: Takes the dead letters.
        counters: Where outcomes are counted.
        on_settled: Called after each settlement.
    """

    def __init__(
        self,
        *,
        tracker: DeliveryTracker,
        publisher: Publisher,
        counters: Counters,
        on_settled: Callable[[], None],
    ) -> None:
        self._tracker = tracker
        self._publisher = publisher
        self._counters = counters
        self._on_settled = on_settled
        self._is_holding = False

    def hold_back(self) -> None:
        """From now on leave what is requeued to one give-back at the end, which keeps its order."""
        self._is_holding = True

    async def settle(
        self, delivery: CommandDelivery, settlement: Settlement, refusal: Refusal | None
    ) -> None:
        """Settle every message of the delivery. Never raises."""
        try:
            match settlement:
                case Settlement.ACK:
                    self._tracker.settle(delivery)
                    self._acknowledge(delivery.handles)
                case Settlement.DEAD:
                    await self._bury(delivery, refusal or NO_REASON)
                case Settlement.REQUEUE:
                    self._give_back(delivery)
        except Exception:  # the broker hands out again what it is not told of
            log.exception("command.settling_failed", settlement=settlement.value)
        finally:
            self._on_settled()

    def _acknowledge(self, handles: Sequence[Handle]) -> None:
        for acks, tag in self._open(handles):
            acks.acknowledge(tag)

    async def _bury(self, delivery: CommandDelivery, refusal: Refusal) -> None:
        letter = DeadLetter(
            message=delivery.message,
            cut=delivery.cut,
            queue=delivery.queue,
            attempts=delivery.attempts if refusal.attempts is None else refusal.attempts,
            refusal=refusal,
        )
        try:
            await self._publisher.publish_dead(letter)
        except GatewayError as error:
            log.warning("command.dead_letter_failed", error_code=refusal.code, reason=str(error))
            self._reject(delivery)
            return
        self._counters.dead_lettered += 1
        log.warning("command.dead", error_code=refusal.code, queue=delivery.queue)
        self._tracker.settle(delivery)
        self._acknowledge(delivery.handles)

    def _reject(self, delivery: CommandDelivery) -> None:
        # Not remembered as settled: if the rejection is lost, the command must be refused again.
        self._tracker.forget(delivery)
        handles = self._open(delivery.handles)
        for acks, tag in handles[:1]:
            acks.reject(tag)
            self._counters.dead_lettered += 1
        self._acknowledge(handles[1:])

    def _give_back(self, delivery: CommandDelivery) -> None:
        self._tracker.forget(delivery)
        self._counters.given_back += 1
        if self._is_holding and not delivery.unassigned:
            return
        for acks, tag in self._open(delivery.handles):
            acks.give_back(tag)

    def _open(self, handles: Sequence[Handle]) -> Sequence[Handle]:
        """Return the handles that can still be used; the others' messages come again."""
        usable = [handle for handle in handles if not handle.acks.is_closed]
        self._counters.settle_failures += len(handles) - len(usable)
        return usable
