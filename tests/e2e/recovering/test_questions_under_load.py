"""Sends and questions at once on several sessions, while a host dies and a connection is cut."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    ContactCheck,
    ContactCheckData,
    ContactsChecked,
    MessageSend,
    SessionState,
)
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.harness import ErrorCode, Gateway

NAMES = ("killed", "cut", "left-alone")
SENDS = 60
SENDS_PER_QUESTION = 3


def burst(gateway: Gateway, name: str, other: Phone) -> list[MessageSend | ContactCheck]:
    """Return commands of a session: texts that say their place, and questions between them."""
    commands: list[MessageSend | ContactCheck] = []
    for place in range(SENDS):
        commands.append(gateway.text(name, other.number, f"{place}"))
        if place % SENDS_PER_QUESTION == 0:
            data = ContactCheckData(numbers=(other.number, "12025559999"))
            commands.append(ContactCheck(source=gateway.backend.source, subject=name, data=data))
    return commands


@pytest_asyncio.fixture(loop_scope="session")
async def names(gateway: Gateway) -> AsyncIterator[tuple[str, ...]]:
    """The sessions; deleted in the end."""
    yield NAMES
    for name in NAMES:
        await gateway.forget(name)


async def test_nothing_is_lost_doubled_or_out_of_order(
    gateway: Gateway, names: tuple[str, ...]
) -> None:
    """Every question is answered, and no text is at its phone twice or too late."""
    others: dict[str, Phone] = {}
    numbers: dict[str, str] = {}
    for name in names:
        phone, others[name] = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
        await gateway.link(name, phone)
        numbers[name] = phone.number
        if name == "killed":
            (victim,) = gateway.worker.hosts()
    commands = {name: burst(gateway, name, other) for name, other in others.items()}
    after = len(gateway.backend.arrivals)

    for turn in zip(*commands.values(), strict=True):
        await asyncio.gather(*(gateway.backend.publish(command) for command in turn))
        if turn[0] is commands["killed"][len(turn) * 5]:
            victim.kill()
            assert gateway.sandbox.service.connections.drop(numbers["cut"]) == 1
    await gateway.until("killed", SessionState.CONNECTED, after=after)
    outcomes = {
        name: [await gateway.backend.outcome(command.id, seconds=60) for command in issued]
        for name, issued in commands.items()
    }

    for name, issued in commands.items():
        sent: list[str] = []
        for command, outcome in zip(issued, outcomes[name], strict=True):
            if isinstance(command, ContactCheck):
                assert isinstance(outcome, CommandSucceeded), outcome
                assert isinstance(outcome.data.result, ContactsChecked)
                told = [one.on_whatsapp for one in outcome.data.result.contacts]
                assert told == [True, False]
            elif isinstance(outcome, CommandSucceeded):
                sent.append(str(command.data.content.model_dump()["text"]))
            else:
                assert isinstance(outcome, CommandFailed)
                assert (name, outcome.data.error.code) == ("killed", ErrorCode.UNCERTAIN)
        await gateway.send(name, others[name].number, "the end")
        texts: list[str] = []
        while not texts or texts[-1] != "the end":
            texts.append((await others[name].next_message(timeout=30)).text)
        assert len(sent) >= SENDS - (name == "killed")
        assert set(sent) <= set(texts[:-1])
        assert texts[:-1] == sorted(set(texts[:-1]), key=int)
