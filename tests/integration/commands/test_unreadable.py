"""What is no command, or came a wrong way, is answered whenever its sender can be named."""

import codecs
import json
from typing import Any

import aio_pika
import pytest

from gateway_contracts import (
    NO_SESSION,
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    WarningCode,
    encode,
)
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from tests.integration.commands.conftest import THEIRS
from tests.integration.commands.support import Station
from tests.integration.commands.test_outcomes import get_status, nothing_is_left
from tests.support.eventually import eventually

MISSING = object()


def payload(subject: object) -> dict[str, Any]:
    """Return a look-up with this subject, or without any."""
    sent: dict[str, Any] = json.loads(encode(get_status("a")))
    if subject is MISSING:
        del sent["subject"]
    else:
        sent["subject"] = subject
    return sent


@pytest.mark.parametrize(
    ("subject", "key", "session"),
    [
        ("acme support", "acme support", NO_SESSION),
        ("acme.support.de", "acme.support.de", NO_SESSION),
        ("müller", "müller", NO_SESSION),
        ("a" * 65, "a" * 65, NO_SESSION),
        ("", "", NO_SESSION),
        ("-a", "-a", NO_SESSION),
        (NO_SESSION, NO_SESSION, NO_SESSION),
        (7, "a", "a"),
        (MISSING, "no one", NO_SESSION),
        (MISSING, "a", "a"),
        (None, "a", "a"),
    ],
)
async def test_a_bad_session_id_is_answered(
    station: Station, backend: Backend, subject: object, key: str, session: str
) -> None:
    """Under a key that no session can have, unless the routing key names the session."""
    sent = payload(subject)
    await backend.publish_raw(json.dumps(sent).encode(), session_id=key)
    outcome = await backend.outcome(sent["id"])

    assert isinstance(outcome, CommandFailed)
    assert outcome.subject == session
    assert outcome.data.error.code is ErrorCode.INVALID_COMMAND
    (fault,) = outcome.data.error.errors
    assert fault.pointer == "/subject"
    assert "pattern" not in fault.detail
    await nothing_is_left(station)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (codecs.BOM_UTF8 + b"{}", "byte order mark"),
        (b"\xff\xfe{\x00}\x00", "not readable JSON"),
        (b"[{}]", "not a JSON object"),
        (b"{", "not readable JSON"),
        (b"", "not readable JSON"),
        (b"null", "not a JSON object"),
    ],
)
async def test_a_body_that_says_nothing_is_answered_by_its_properties(
    station: Station, backend: Backend, body: bytes, says: str
) -> None:
    """The message id is the command's id, the routing key its session."""
    kind = "wa.message.send.v1"
    await backend.publish_raw(body, session_id="a", message_id="named-outside", kind=kind)
    outcome = await backend.outcome("named-outside")

    assert isinstance(outcome, CommandFailed)
    assert (outcome.subject, outcome.data.command_type) == ("a", kind)
    assert says in (outcome.data.error.detail or "")
    await nothing_is_left(station)


async def test_a_body_with_a_byte_order_mark_names_itself(
    station: Station, backend: Backend
) -> None:
    """Its ids can be read all the same."""
    sent = payload("a")
    await backend.publish_raw(codecs.BOM_UTF8 + json.dumps(sent).encode(), session_id="b")
    outcome = await backend.outcome(sent["id"])
    assert isinstance(outcome, CommandFailed)
    assert (outcome.subject, outcome.data.command_type) == ("a", sent["type"])
    await nothing_is_left(station)


async def test_a_wrong_routing_key_is_told(station: Station, backend: Backend) -> None:
    """The command is executed; whoever looks sees that it had no order."""
    good, bad = get_status("a"), get_status("a")
    await backend.publish(good)
    await backend.publish_raw(encode(bad), session_id="b")
    right, wrong = await backend.outcome(good.id), await backend.outcome(bad.id)

    assert isinstance(right, CommandSucceeded)
    assert isinstance(wrong, CommandSucceeded)
    assert right.data.warnings == ()
    assert [warning.code for warning in wrong.data.warnings] == [WarningCode.MISROUTED]
    assert station.dispatcher.misrouted == 1
    await nothing_is_left(station)


async def test_a_publish_into_a_workers_queue_is_told(
    station: Station, backend: Backend, settings: BrokerSettings, amqp_url: str
) -> None:
    """Failures have the warning, too."""
    command = get_status("unknown")
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(
            aio_pika.Message(encode(command), message_id=command.id),
            routing_key=settings.topology.worker_queue(station.worker_id),
        )
    outcome = await backend.outcome(command.id)
    assert isinstance(outcome, CommandFailed)
    assert [warning.code for warning in outcome.data.warnings] == [WarningCode.MISROUTED]


async def test_what_was_sent_on_keeps_the_key_of_its_sender(
    station: Station, backend: Backend, other_queue: str, amqp_url: str
) -> None:
    """Its owner can tell a good key from a bad one."""
    commands = [get_status(THEIRS), get_status(THEIRS)]
    await backend.publish(commands[0])
    await backend.publish_raw(encode(commands[1]), session_id="b", message_id=commands[1].id)

    async def both_there() -> bool:
        return await station.broker.depth(other_queue) == len(commands)

    await eventually(both_there, reason="both are sent on")
    keys = {}
    async with await aio_pika.connect(amqp_url) as connection:
        queue = await (await connection.channel()).get_queue(other_queue)
        async with queue.iterator(no_ack=True) as arriving:
            async for message in arriving:
                keys[message.message_id] = message.headers["wa-key"]
                if len(keys) == len(commands):
                    break
    assert keys == {commands[0].id: THEIRS, commands[1].id: "b"}
