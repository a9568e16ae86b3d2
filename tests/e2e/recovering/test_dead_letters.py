"""An operator sees why a command died, sets it right, and replays the command."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aio_pika
import asyncpg
import msgspec
import pytest

from gateway_contracts import (
    CommandEnvelope,
    CommandFailed,
    CommandSucceeded,
    ErrorBody,
    SentInfo,
    Topology,
    encode,
)
from gateway_worker.devkit.services.process import base_environment
from gateway_worker.host_protocol.journal_format import line_of, parse
from gateway_worker.host_protocol.layout import JOURNAL_NAME
from tests.e2e.harness import ErrorCode, Gateway
from tests.support.commands import Commands

Replay = Callable[[CommandEnvelope], Awaitable[None]]


@pytest.fixture
def replay(gateway: Gateway, commands: Commands, tmp_path: Path) -> Replay:
    """Replay a command that is a dead letter."""

    async def run(command: CommandEnvelope) -> None:
        environment = {**base_environment(), **gateway.environment}
        replayed = await commands.run(environment, tmp_path, "ctl", "dead", "replay", command.id)
        assert (replayed.code, replayed.out, replayed.err) == (0, "replayed 1\n", "")

    return run


async def test_a_replayed_message_arrives_once(gateway: Gateway, name: str, replay: Replay) -> None:
    """It was for a session that nobody had created; a repeat then only tells how it ended."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    early = gateway.text(name, ada.number, "Hello Ada")
    failed = await gateway.fail(early)
    assert failed.data.error.code is ErrorCode.SESSION_NOT_FOUND
    await gateway.link(name, shop)

    after = len(gateway.backend.arrivals)
    await replay(early)
    sent = await gateway.backend.expect(CommandSucceeded, name, after=after)
    message = await ada.next_message(timeout=30)
    assert isinstance(sent.data.result, SentInfo)
    assert (message.text, message.message_id) == ("Hello Ada", sent.data.result.message_id)

    after = len(gateway.backend.arrivals)
    await gateway.backend.publish(early)
    repeated = await gateway.backend.expect(CommandSucceeded, name, after=after)
    assert repeated.data.repeated
    assert repeated.data.result == sent.data.result


async def test_what_the_gateway_failed_at_after_it_was_sent_is_not_sent_again(
    gateway: Gateway, name: str, replay: Replay
) -> None:
    """The host's notes know better than the failure that was told."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    command = gateway.text(name, ada.number, "Hello Ada")
    sent = await gateway.succeed(command)
    await pretend_a_failure(gateway, command)

    after = len(gateway.backend.arrivals)
    await replay(command)
    again = await gateway.backend.expect(CommandSucceeded, name, after=after)
    assert (again.data.result, again.data.repeated) == (sent, False)
    await gateway.send(name, ada.number, "And that was all")
    texts = [(await ada.next_message(timeout=30)).text for _ in range(2)]
    assert texts == ["Hello Ada", "And that was all"]


async def test_what_the_hosts_notes_have_forgotten_is_not_sent_again_either(
    gateway: Gateway, name: str, replay: Replay
) -> None:
    """They keep the last few hundred commands; of an older one nobody knows."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    command = gateway.text(name, ada.number, "Hello Ada")
    await gateway.succeed(command)
    await pretend_a_failure(gateway, command)
    (path,) = (gateway.worker.data_dir / "sessions" / name).rglob(JOURNAL_NAME)
    journal = parse(path.read_bytes())
    assert journal is not None
    assert journal.opened is not None
    header = msgspec.structs.replace(journal.header, since=time.time())
    path.write_bytes(line_of(header) + line_of(journal.opened))

    after = len(gateway.backend.arrivals)
    await replay(command)
    again = await gateway.backend.expect(CommandFailed, name, after=after)
    assert again.data.error.code is ErrorCode.UNCERTAIN


async def pretend_a_failure(gateway: Gateway, command: CommandEnvelope) -> None:
    """Let a command look as if the worker had not got beyond it: a failure, and a dead letter."""
    error = ErrorBody.of(ErrorCode.INTERNAL).model_dump_json()
    connection = await asyncpg.connect(gateway.environment["DATABASE_URL"])
    try:
        await connection.execute(
            "UPDATE commands SET state = 'failed',"
            " outcome = jsonb_build_object('error', $2::text::jsonb) WHERE id = $1",
            command.id,
            error,
        )
    finally:
        await connection.close()
    topology = Topology(prefix=gateway.environment["AMQP_PREFIX"])
    async with await aio_pika.connect(gateway.environment["AMQP_URL"]) as broker:
        channel = await broker.channel()
        exchange = await channel.get_exchange(topology.internal_dead, ensure=False)
        letter = aio_pika.Message(
            encode(command),
            message_id=command.id,
            headers={"wa-dead-routing-key": command.subject},
        )
        await exchange.publish(letter, routing_key=command.subject)
