"""The contract's README: its table is the enum, and its code runs against a real broker."""

import asyncio
import re
from pathlib import Path
from typing import Any

import aio_pika

from gateway_contracts import (
    Account,
    ErrorCode,
    Event,
    MessageSend,
    SessionState,
    SessionStatus,
    SessionStatusData,
    StatusReason,
    Topology,
    encode,
    parse_command,
)
from gateway_contracts.content import ARRIVING_KINDS, SENDABLE_KINDS
from gateway_contracts.spec.examples import load_examples
from tests.contracts.broker import channel, declare, publish, read

TEXT = (Path(__file__).parents[2] / "contracts/README.md").read_text("utf-8")


def section(title: str) -> str:
    """Return what stands below a heading, up to the next one."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_table_of_kinds_has_every_kind_and_its_ways() -> None:
    rows = re.findall(
        r"^\| `(\w+)`[^|]*\| (yes|no)[^|]*\| ([^|]+) \|",
        section("What a message carries"),
        re.MULTILINE,
    )
    assert {kind for kind, send, _ in rows if send == "yes"} == set(SENDABLE_KINDS)
    assert {kind for kind, _, receive in rows if receive != "no"} == set(ARRIVING_KINDS)


def test_the_table_of_errors_is_the_enum() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \| (.+) \|$", section("Error codes"), re.MULTILINE)
    assert {code: retry == "yes" for code, retry, _ in rows} == {
        code.value: code.retryable for code in ErrorCode
    }
    for code, _, words in rows:
        assert words.startswith(ErrorCode(code).summary)


def code() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        exec(compile(block, "contracts/README.md", "exec"), names)
    return names


def test_its_code_validates_messages() -> None:
    validator = code()["validator"]
    for example in load_examples():
        assert validator(example.type).is_valid(example.payload)
        assert not validator(example.type).is_valid({**example.payload, "data": []})


async def test_its_code_publishes_commands_and_consumes_events(
    amqp_url: str, topology_prefix: str
) -> None:
    names = code()
    topology = names["TOPOLOGY"] = Topology(prefix=topology_prefix)
    names["BACKEND"] = type(names["BACKEND"])(
        service="crm", topology=topology, events=names["BACKEND"].events
    )
    async with channel(amqp_url) as opened:
        shared = await declare(opened, topology.exchanges(), topology.queues(), topology.bindings())
        await names["declare"](opened)
        command = names["greeting"]()
        await names["send"](opened, command)
        arrived = await (await read(shared[topology.unassigned])).get()
        assert isinstance(command, MessageSend)
        assert parse_command(arrived.body) == command
        assert arrived.message_id == command.id
        await _consumes(opened, names, topology)
        await _replays(opened, names, topology)


async def _replays(
    opened: aio_pika.abc.AbstractChannel, names: dict[str, Any], topology: Topology
) -> None:
    """Twice: the queue is there for the next replay too."""
    queue = names["BACKEND"].replay_queue().name
    wanted = [status_of(f"s{number}") for number in range(3)]
    for _ in range(2):
        for event in wanted:
            await publish(opened, topology.replay, queue, encode(event))
        assert await names["read_replay"](opened, len(wanted)) == wanted


def status_of(session_id: str) -> SessionStatus:
    return SessionStatus(
        source="/workers/w-0",
        subject=session_id,
        data=SessionStatusData(
            state=SessionState.CONNECTED,
            reason=StatusReason.LOGIN_SUCCEEDED,
            worker="w-0",
            account=Account(jid="15550100001@s.whatsapp.net"),
        ),
    )


async def _consumes(
    opened: aio_pika.abc.AbstractChannel, names: dict[str, Any], topology: Topology
) -> None:
    status = status_of("acme-support")
    applied: asyncio.Queue[Event] = asyncio.Queue()
    events = await opened.get_queue(names["BACKEND"].events_queue().name, ensure=False)
    await events.consume(names["reader"](applied.put))
    key = topology.event_key(status.type, status.subject)
    await publish(opened, topology.events, key, b"no event")
    await publish(opened, topology.events, key, encode(status).replace(b".status.v1", b".mood.v1"))
    await publish(opened, topology.events, key, encode(status))
    assert await applied.get() == status
    dead = await (await read(await opened.get_queue(names["BACKEND"].dead, ensure=False))).get()
    assert dead.body == b"no event"
