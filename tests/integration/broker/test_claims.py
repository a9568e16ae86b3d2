"""What a sender writes on a message is believed only where the broker vouches for a worker."""

from typing import Any

import pytest

from gateway_worker.broker import BrokerSettings
from gateway_worker.commands.ports import Delivery, Refusal, Settlement
from tests.integration.broker.support import WORKER, Backend, Mill, consuming, hold
from tests.support.eventually import eventually

CLAIMS: dict[str, Any] = {
    "wa-control": "late",
    "wa-hop": 7,
    "wa-hops": 3,
    "wa-stage": 2,
    "wa-from": "w9",
    "wa-attempt": 4,
}
REFUSAL = Refusal(code="invalid_command", reason="no command")


@pytest.mark.parametrize("way", ["commands", "worker's key", "queue", "unassigned", "unrouted"])
async def test_claims_count_only_where_a_worker_has_published(
    settings: BrokerSettings, backend: Backend, way: str
) -> None:
    """Whatever way it came by: a command is a command, at its beginning, and this is counted."""
    topology = settings.topology
    exchange, key = {
        "commands": (topology.commands, "s1"),
        "worker's key": (topology.commands, topology.worker_key(WORKER)),
        "queue": ("", topology.worker_queue(WORKER)),
        "unassigned": (topology.commands, "nobody"),
        "unrouted": (topology.unrouted, "s1"),
    }[way]
    mill = Mill(hold)
    async with consuming(settings, mill, "s1") as (broker, _):
        await backend.send(
            "s1 1", routing_key=key, exchange=exchange, headers={"traceparent": "t", **CLAIMS}
        )
        await eventually(lambda: mill.accepted)
        (delivery,) = mill.accepted

        assert delivery.headers == {"traceparent": "t"}
        assert (delivery.control, delivery.hop, delivery.stage) == (None, None, None)
        assert (delivery.came_from, delivery.hops, delivery.attempts_before) == (None, 0, 0)
        assert broker.stats().claims_ignored == 1


async def test_the_same_counts_from_a_worker(settings: BrokerSettings, backend: Backend) -> None:
    """By its exchange, under a session's key as under the worker's own."""
    mill = Mill(hold)
    async with consuming(settings, mill, "s1") as (broker, _):
        for key in ("s1", settings.topology.worker_key(WORKER)):
            await backend.send(
                "s1 1", routing_key=key, exchange=settings.topology.internal, headers=CLAIMS
            )
        await eventually(lambda: len(mill.accepted) == 2)

        assert [delivery.control for delivery in mill.accepted] == ["late", "late"]
        assert {delivery.came_from for delivery in mill.accepted} == {"w9"}
        assert broker.stats().claims_ignored == 0


async def test_a_forged_claim_does_not_become_true_on_its_way_through_a_worker(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Neither a retry tier nor forwarding nor the dead letters carry it on."""

    async def work(delivery: Delivery) -> None:
        if delivery.hops:
            await delivery.settle(Settlement.DEAD, REFUSAL)
        elif delivery.attempts_before:
            await broker.publisher.pass_on(delivery, worker_id=WORKER, hop=1)
            await delivery.settle(Settlement.ACK)
        else:
            await broker.publisher.retry_later(delivery, seconds=8, attempts=1, within=2)
            await delivery.settle(Settlement.ACK)

    mill = Mill(work)
    async with consuming(settings, mill, "s1") as (broker, _):
        await backend.send("s1 1", headers={**CLAIMS, "wa-dead-turn": "x", "wa-new": "y"})
        (letter,) = await backend.take(settings.topology.dead_commands, 1)

    assert [delivery.control for delivery in mill.accepted] == [None, None, None]
    assert [delivery.attempts_before for delivery in mill.accepted] == [0, 1, 1]
    assert letter.headers.keys().isdisjoint({"wa-control", "wa-stage", "wa-dead-turn", "wa-new"})
    assert letter.headers["wa-from"] == WORKER


async def test_further_routing_keys_are_not_sent_on(
    settings: BrokerSettings, backend: Backend
) -> None:
    """RabbitMQ would multiply the message each time that a worker sends it on."""

    async def work(delivery: Delivery) -> None:
        if delivery.hops < 3:
            await broker.publisher.pass_on(delivery, worker_id=WORKER, hop=delivery.hops + 1)
        await delivery.settle(Settlement.ACK)

    mill = Mill(work)
    async with consuming(settings, mill, "s1", "s2") as (broker, consumer):
        key = settings.topology.worker_key(WORKER)
        await backend.send("s1 1", headers={"CC": ["s2", key], "BCC": ["s2"], "other": "x"})
        await backend.send("s2 2")
        await eventually(lambda: "s2 2" in mill.executed and consumer.in_flight == 0)
        await eventually(lambda: mill.executed.count("s2 2") == 4)

        assert mill.executed.count("s1 1") == 4, "one queue, one message, however many keys"


async def test_a_count_that_a_sender_has_written_overtakes_nothing_when_all_comes_again(
    settings: BrokerSettings, backend: Backend
) -> None:
    """What a queue has got back is put in order by how often it was handed out."""
    numbers = range(4)
    first, second = Mill(hold), Mill()
    async with consuming(settings, first, "s1"):
        for number in numbers:
            counts = {"x-acquired-count": 9 * number, "x-delivery-count": 9 * number}
            await backend.send(f"s1 {number}", headers=counts)
        await eventually(lambda: len(first.accepted) == len(numbers))
    async with consuming(settings, second, "s1"):
        await eventually(lambda: len(second.executed) == len(numbers))

        assert second.executed == [f"s1 {number}" for number in numbers]


async def test_a_count_of_deliveries_that_the_broker_has_not_made_is_ignored(
    settings: BrokerSettings, backend: Backend
) -> None:
    """It would be told in the dead letter."""

    async def work(delivery: Delivery) -> None:
        await delivery.settle(Settlement.DEAD, REFUSAL)

    async with consuming(settings, Mill(work), "s1"):
        await backend.send("s1 1", headers={"x-delivery-count": 900, "x-death": "nonsense"})
        (letter,) = await backend.take(settings.topology.dead_commands, 1)
    assert letter.headers["wa-dead-attempts"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({f"h{number}": "x" * 200 for number in range(400)}, id="many"),
        pytest.param({"one": "x" * 100_000, "kept": "y"}, id="long"),
        pytest.param({"none": None, "deep": {"a": [{"b": [1, None]}]}, "kept": "y"}, id="odd"),
    ],
)
async def test_headers_that_do_not_fit_cost_no_connection(
    settings: BrokerSettings, backend: Backend, headers: dict[str, Any]
) -> None:
    """A dead letter keeps what there is room for; forwarding and retrying need none of it."""

    async def work(delivery: Delivery) -> None:
        if delivery.hops:
            await delivery.settle(Settlement.DEAD, REFUSAL)
        else:
            await broker.publisher.pass_on(delivery, worker_id=WORKER, hop=1)
            await delivery.settle(Settlement.ACK)

    async with consuming(settings, Mill(work), "s1") as (broker, _):
        await backend.send("s1 1", headers=headers)
        (letter,) = await backend.take(settings.topology.dead_commands, 1)
        assert letter.headers["wa-dead-code"] == "invalid_command"
        assert broker.stats().reconnects == 0
        assert broker.stats().publish_failures == 0
