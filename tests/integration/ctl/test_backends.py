"""A backend's queues and bindings are made from the command line."""

import shlex

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel

from gateway_contracts import BackendTopology, Topology
from gateway_contracts.permissions import backend_rights
from tests.support.commands import Ctl


async def test_a_backend_gets_its_queues_and_what_it_asked_for(
    ctl: Ctl, channel: AbstractChannel, topology: Topology
) -> None:
    """Again and again, and the queues are those of the contract."""
    own = BackendTopology(service="crm", topology=topology)
    for _ in range(2):
        answer = await ctl("broker", "add-backend", "crm", "--events", "message.#", "--json")
        assert answer.code == 0, answer.err
    assert answer.json["queues"] == [queue.name for queue in own.queues()]
    for queue in own.queues():  # with other arguments the broker would close the channel
        await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
    events = await channel.get_exchange(topology.events, ensure=False)
    for key in ("message.received.s1", "session.qr.s1"):
        await events.publish(aio_pika.Message(key.encode()), routing_key=key)
    replay = await channel.get_exchange(topology.replay, ensure=False)
    await replay.publish(aio_pika.Message(b"again"), routing_key=own.replay_queue().name)

    assert await depth(channel, own.events_queue().name) == 1
    assert await depth(channel, own.replay_queue().name) == 1
    assert await depth(channel, own.dead) == 0


async def depth(channel: AbstractChannel, name: str) -> int:
    declared = await channel.declare_queue(name, passive=True)
    return declared.declaration_result.message_count or 0


async def test_it_says_how_to_make_the_user(ctl: Ctl, topology: Topology) -> None:
    """With the rights of the contract, as a shell takes them."""
    answer = await ctl("broker", "add-backend", "crm")
    rights = backend_rights(topology, service="crm")
    lines = [shlex.split(line) for line in answer.out.splitlines() if "rabbitmqctl" in line]
    assert lines[0] == ["rabbitmqctl", "add_user", "gateway-backend-crm"]
    assert lines[1][-3:] == [rights.configure, rights.write, rights.read]
    assert [line[-3] for line in lines[2:]] == [topic.exchange for topic in rights.topics]


@pytest.mark.parametrize(
    ("mode", "words", "is_told"),
    [("off", (), False), ("user_id", (), True), ("user_id", ("--tenant", "crm"), False)],
)
async def test_a_backend_of_no_tenant_is_told_to_see_everything(
    ctl: Ctl,
    topology: Topology,
    mode: str,
    words: tuple[str, ...],
    is_told: bool,  # noqa: FBT001
) -> None:
    """It is made all the same: an operator may want one that watches."""
    answer = await ctl("broker", "add-backend", "crm", *words, TENANTS=mode)

    assert answer.code == 0, answer.err
    assert ("events of every tenant" in answer.err) is is_told


@pytest.mark.parametrize("name", ["", "crm.eu", "crm*"])
async def test_a_name_that_makes_no_queue_is_refused(ctl: Ctl, name: str) -> None:
    """Before the broker is asked."""
    answer = await ctl("broker", "add-backend", name)
    assert answer.code == 2
    assert "no name of a service" in answer.err


async def test_a_queue_with_other_arguments_is_told_with_the_remedy(
    ctl: Ctl, channel: AbstractChannel, topology: Topology
) -> None:
    """It is not touched."""
    name = BackendTopology(service="crm", topology=topology).events_queue().name
    await channel.declare_queue(name, durable=True)
    answer = await ctl("broker", "add-backend", "crm")
    assert answer.code == 2
    assert name in answer.err
    assert "delete_queue" in answer.err
