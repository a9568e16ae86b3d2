"""Dead letters are listed, shown, replayed and dropped from the command line."""

from collections.abc import Mapping

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel

from gateway_contracts import Topology
from tests.support.commands import Ctl

SECRET = b'{"subject": "s1", "data": {"to": "+15550100002", "content": {"text": "at noon"}}}'


async def bury(
    channel: AbstractChannel,
    topology: Topology,
    *ids: str,
    body: bytes = SECRET,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Put commands to the dead letters as a worker does."""
    exchange = await channel.get_exchange(topology.internal_dead, ensure=False)
    for name in ids:
        message = aio_pika.Message(
            body,
            message_id=name,
            type="wa.message.send.v1",
            delivery_mode=2,
            headers={
                "wa-dead-code": "session_not_found",
                "wa-dead-reason": "there is no \x1b[31msession s1",
                "wa-dead-attempts": 1,
                "wa-dead-routing-key": "s1",
                "wa-dead-queue": topology.unassigned,
                "wa-dead-by": "/workers/w",
                "wa-dead-at": "2026-11-24T09:16:33+00:00",
                **(headers or {}),
            },
        )
        await exchange.publish(message, routing_key="s1")


async def ids_of(ctl: Ctl) -> list[str]:
    """Return the ids of all letters, in order."""
    answer = await ctl("dead", "list", "--json")
    assert answer.code == 0, answer.err
    return [letter["id"] for letter in answer.json]


async def test_a_list_says_what_is_dead_and_why_but_not_what_it_says(
    ctl: Ctl, channel: AbstractChannel, topology: Topology
) -> None:
    """Neither for people nor for programs, and it leaves everything where it was."""
    assert (await ctl("dead", "list")).out == "there are no dead letters\n"
    await bury(channel, topology, "c1", "c2", "c3")
    answer = await ctl("dead", "list", "--limit", "2")
    assert answer.code == 0
    head, first, second = answer.out.splitlines()
    assert head.split() == [
        *("ID", "AT", "CODE", "ATTEMPTS", "TYPE", "SESSION", "AT_FAULT", "REASON")
    ]
    assert first.split()[:6] == [
        *("c1", "2026-11-24T09:16:33Z", "session_not_found", "1", "wa.message.send.v1", "s1")
    ]
    assert second.startswith("c2 ")
    assert "\x1b" not in answer.out, "a terminal must not act upon what was sent"
    assert "1 more are not shown" in answer.err
    whole = await ctl("dead", "list", "--json")
    assert [letter["id"] for letter in whole.json] == ["c1", "c2", "c3"]
    assert whole.json[0]["queue"] == topology.unassigned
    for text in (answer.out, whole.out):
        assert "15550100002" not in text
        assert "noon" not in text


async def test_what_is_at_fault_is_named(
    ctl: Ctl, channel: AbstractChannel, topology: Topology
) -> None:
    """By its place in the list; in words, which may quote it, only where the body is shown too."""
    errors = (
        '[{"pointer": "/data/to", "detail": "no number: 0170"}, {"pointer": "/id", "detail": "x"}]'
    )
    await bury(channel, topology, "c1", headers={"wa-dead-errors": errors})
    await bury(channel, topology, "c2", headers={"wa-dead-errors": "not what it should be"})
    listed = await ctl("dead", "list")
    assert " /data/to, /id " in listed.out
    assert "0170" not in listed.out + (await ctl("dead", "list", "--json")).out
    shown = await ctl("dead", "show", "c1")
    assert "error         /data/to: no number: 0170\n" in shown.out
    (exact,) = (await ctl("dead", "show", "c1", "--json")).json
    assert [error["pointer"] for error in exact["errors"]] == ["/data/to", "/id"]
    assert (await ctl("dead", "show", "c2")).code == 0


async def test_one_is_shown_with_its_body(
    ctl: Ctl, channel: AbstractChannel, topology: Topology
) -> None:
    """As text where it is text, exactly for programs, and with an error if it is not there."""
    await bury(channel, topology, "c1")
    await bury(channel, topology, "c2", body=b"\xff\x00no JSON")
    shown = await ctl("dead", "show", "c1")
    assert shown.code == 0
    assert '"to": "+15550100002"' in shown.out
    assert "code          session_not_found" in shown.out
    (exact,) = (await ctl("dead", "show", "c1", "--json")).json
    assert exact["body"].encode() == SECRET
    (binary,) = (await ctl("dead", "show", "c2", "--json")).json
    assert binary["body_base64"] == "/wBubyBKU09O"
    missing = await ctl("dead", "show", "c9")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "gateway-worker: there is no dead letter c9\n"


async def test_what_is_replayed_is_a_command_again(
    ctl: Ctl, channel: AbstractChannel, topology: Topology
) -> None:
    """Under its own id and key; an id that is not there is told, and the others are done."""
    await bury(channel, topology, "c1", "c2", "c3")
    answer = await ctl("dead", "replay", "c2", "c9")
    assert (answer.code, answer.out) == (1, "replayed 1\n")
    assert "there is no dead letter c9" in answer.err
    assert await ids_of(ctl) == ["c1", "c3"]
    unassigned = await channel.get_queue(topology.unassigned, ensure=False)
    command = await unassigned.get(timeout=30)
    assert command is not None
    assert (command.message_id, command.routing_key, command.body) == ("c2", "s1", SECRET)
    everything = await ctl("dead", "replay", "--all", "--json")
    assert everything.json == {"replayed": 2, "missing": [], "kept": {}, "reopened": 0}
    assert await ids_of(ctl) == []


async def test_what_nobody_has_verified_stays_in_a_fleet_with_tenants(
    ctl: Ctl, channel: AbstractChannel, topology: Topology
) -> None:
    """Workers would refuse it, and keep nothing of it."""
    await bury(channel, topology, "c1")
    await bury(channel, topology, "c2", headers={"wa-tenant": "acme"})

    answer = await ctl("dead", "replay", "--all", TENANTS="user_id")

    assert (answer.code, answer.out) == (1, "replayed 1\n")
    assert "c1 stays" in answer.err
    assert await ids_of(ctl) == ["c1"]
    unassigned = await channel.get_queue(topology.unassigned, ensure=False)
    command = await unassigned.get(timeout=30)
    assert command is not None
    assert (command.message_id, command.headers["wa-tenant"]) == ("c2", "acme")


async def test_dropping_all_needs_a_yes(
    ctl: Ctl, channel: AbstractChannel, topology: Topology
) -> None:
    """One by its id does not."""
    await bury(channel, topology, "c1", "c2", "c3")
    assert (await ctl("dead", "drop", "c1")).out == "dropped 1\n"
    refused = await ctl("dead", "drop", "--all")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert await ids_of(ctl) == ["c2", "c3"]
    done = await ctl("dead", "drop", "--all", "--yes")
    assert (done.code, done.out) == (0, "dropped 2\n")
    assert await ids_of(ctl) == []


@pytest.mark.parametrize(
    "words",
    [
        ("dead", "replay"),
        ("dead", "drop"),
        ("dead", "replay", "c1", "--all"),
        ("dead", "list", "--limit", "0"),
        ("dead", "list", "--limit", "many"),
        ("dead",),
        ("undead",),
    ],
)
async def test_words_that_make_no_sense_are_a_usage_error(ctl: Ctl, words: tuple[str, ...]) -> None:
    """Nothing is contacted."""
    answer = await ctl(*words, AMQP_URL="amqp://127.0.0.1:1/nowhere")
    assert (answer.code, answer.out) == (2, "")
    assert "Usage: gateway-worker ctl" in answer.err


async def test_a_broker_without_the_queue_or_without_an_answer_is_told(ctl: Ctl) -> None:
    """In a line, not as a traceback."""
    empty = await ctl("dead", "list")
    assert empty.code == 1
    assert "no worker has declared it here yet" in empty.err
    gone = await ctl(
        "dead", "list", AMQP_URL="amqp://127.0.0.1:1/", AMQP_STARTUP_TIMEOUT_SECONDS="0.5"
    )
    assert gone.code == 1
    assert gone.err.splitlines()[-1].startswith("gateway-worker: ")
    assert "Traceback" not in gone.err
