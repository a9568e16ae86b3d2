"""Carries out what becomes of a delivery: acknowledge, send to the dead letters, give back.

Nothing here may wait without a limit. When a connection dies while its outgoing queue is full,
aiormq lets an acknowledgement wait for ever; what did not get out is delivered again and
recognised then.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from gateway_worker.broker.delivery import CommandDelivery, Handle
from gateway_worker.broker.failures import is_cancelled
from gateway_worker.broker.ledger import Ledger
from gateway_worker.broker.publisher import DeadLetter, Publisher
from gateway_worker.broker.stats import Counters
from gateway_worker.commands.ports import Refusal, Settlement
from gateway_worker.errors import DependencyError

log = structlog.get_logger(__name__)

NO_REASON = Refusal(code="internal", reason="no reason was given")


class Settlements:
    """Settles deliveries.

    Args:
        ledger: Where deliveries are in work.
        publisher: Takes the dead letters.
        timeout_seconds: How long one acknowledgement may wait to be sent.
        counters: Where outcomes are counted.
        on_settled: Called after each settlement.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        publisher: Publisher,
        timeout_seconds: float,
        counters: Counters,
        on_settled: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._timeout_seconds = timeout_seconds
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
                    self._ledger.settle(delivery)
                    await self._acknowledge(delivery.handles)
                case Settlement.DEAD:
                    await self._bury(delivery, refusal or NO_REASON)
                case Settlement.REQUEUE:
                    await self._give_back(delivery)
        except Exception:
            log.exception("command.settling_failed", settlement=settlement.value)
        finally:
            self._on_settled()

    async def acknowledge(self, handle: Handle) -> None:
        """Acknowledge a message that was settled before and has come again."""
        await self._acknowledge([handle])

    async def _acknowledge(self, handles: list[Handle]) -> None:
        for channel, tag in handles:
            await self._send(channel.basic_ack, tag)

    async def _bury(self, delivery: CommandDelivery, refusal: Refusal) -> None:
        letter = DeadLetter(
            body=delivery.body,
            properties=delivery.message.header.properties,
            routing_key=delivery.routing_key,
            queue=delivery.queue,
            attempts=delivery.attempts,
            refusal=refusal,
        )
        try:
            await self._publisher.publish_dead(letter)
        except (DependencyError, ValueError, TypeError) as error:
            log.warning("command.dead_letter_failed", code=refusal.code, reason=str(error))
            await self._reject(delivery)
            return
        self._counters.dead_lettered += 1
        log.warning("command.dead", code=refusal.code, queue=delivery.queue)
        self._ledger.settle(delivery)
        await self._acknowledge(delivery.handles)

    async def _reject(self, delivery: CommandDelivery) -> None:
        # Not remembered as settled: if the rejection is lost, the command must be refused again.
        self._ledger.forget(delivery)
        first, *others = delivery.handles
        if await self._send(
            lambda tag, *, wait: first.channel.basic_reject(tag, requeue=False, wait=wait),
            first.tag,
        ):
            self._counters.dead_lettered += 1
        await self._acknowledge(others)

    async def _give_back(self, delivery: CommandDelivery) -> None:
        self._ledger.forget(delivery)
        self._counters.given_back += 1
        if self._is_holding and not delivery.unassigned:
            return
        for channel, tag in delivery.handles:
            await self._send(channel.basic_nack, tag)

    async def _send(self, method: Callable[..., Any], tag: int) -> bool:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await method(tag, wait=False)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            # Expected after every lost connection: the broker delivers the message again.
            self._counters.settle_failures += 1
            log.debug("command.settlement_lost", reason=str(error) or type(error).__name__)
            return False
        return True
