"""Bad input of every kind: explained where it can be, kept in the dead letters, never harmful."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from gateway_contracts import (
    MAX_COMMAND_BYTES,
    CommandFailed,
    SessionGetStatus,
    SessionState,
    encode,
    new_id,
)
from tests.e2e.harness import ErrorCode, Gateway
from tests.support.dead_letters import DeadLetters


def body(**changes: Any) -> bytes:
    """Return a command to send a text, with some fields changed (None removes one)."""
    command = {
        "specversion": "1.0",
        "id": new_id(),
        "source": "/backends/test",
        "type": "wa.message.send.v1",
        "subject": "shop",
        "data": {"to": "+12025550101", "content": {"kind": "text", "text": "Hello"}},
        **changes,
    }
    return json.dumps({key: value for key, value in command.items() if value is not None}).encode()


ADDRESSABLE: Mapping[str, tuple[Mapping[str, Any], str | None]] = {
    "unknown type": ({"type": "wa.message.shout.v1"}, None),
    "type of another version": ({"type": "wa.message.send.v9"}, None),
    "no data": ({"data": None}, "/data"),
    "data of a wrong type": ({"data": "Hello"}, "/data"),
    "unknown kind of content": (
        {"data": {"to": "+12025550101", "content": {"kind": "telepathy"}}},
        "/data/content/kind",
    ),
    "empty text": (
        {"data": {"to": "+12025550101", "content": {"kind": "text", "text": ""}}},
        "/data/content/text",
    ),
    "no such recipient form": (
        {"data": {"to": "Ada", "content": {"kind": "text", "text": "Hello"}}},
        "/data/to",
    ),
    "wrong time": ({"expirytime": "tomorrow"}, "/expirytime"),
}

UNADDRESSABLE = {
    "not JSON": b"Hello",
    "not UTF-8": b"\xff\xfe\x00",
    "not an object": b"[1, 2, 3]",
    "no id": body(id=None),
    "no session": body(subject=None),
    "a session id that is none": body(subject="no/such/../session"),
}


@pytest.mark.parametrize("fault", list(ADDRESSABLE))
async def test_a_faulty_command_is_explained_and_kept(
    gateway: Gateway, dead_letters: DeadLetters, fault: str
) -> None:
    """`command.failed` names the field; the dead letter has code and reason."""
    changes, pointer = ADDRESSABLE[fault]
    command_id = new_id()
    published = body(id=command_id, **changes)

    await gateway.backend.publish_raw(published, session_id="shop")
    failed = await gateway.backend.outcome(command_id)

    assert isinstance(failed, CommandFailed)
    assert failed.data.error.code is ErrorCode.INVALID_COMMAND
    if pointer is not None:
        assert pointer in [error.pointer for error in failed.data.error.errors]
    dead = await dead_letters.next(command_id.encode())
    assert (dead.code, dead.body) == ("invalid_command", published)
    assert dead.reason


@pytest.mark.parametrize("fault", list(UNADDRESSABLE))
async def test_what_names_no_session_or_itself_is_kept(
    gateway: Gateway, dead_letters: DeadLetters, fault: str
) -> None:
    """The dead letters have it, whether somebody can be told or not; the worker goes on."""
    await gateway.backend.publish_raw(UNADDRESSABLE[fault], session_id="shop")

    dead = await dead_letters.next(UNADDRESSABLE[fault])

    assert (dead.code, dead.body) == ("invalid_command", UNADDRESSABLE[fault])
    assert await gateway.worker.is_ready()


async def test_an_oversized_command_is_refused(gateway: Gateway, dead_letters: DeadLetters) -> None:
    """Bytes travel by reference, never inside a command."""
    command_id = new_id()
    big = body(
        id=command_id,
        data={
            "to": "+12025550101",
            "content": {"kind": "text", "text": "x" * MAX_COMMAND_BYTES},
        },
    )

    await gateway.backend.publish_raw(big, session_id="shop")
    failed = await gateway.backend.outcome(command_id)

    assert isinstance(failed, CommandFailed)
    assert failed.data.error.code is ErrorCode.INVALID_COMMAND
    digest = hashlib.sha256(big).hexdigest()  # all that is kept of it
    assert (await dead_letters.next(digest.encode())).code == "invalid_command"


async def test_a_command_to_an_unknown_session(gateway: Gateway, dead_letters: DeadLetters) -> None:
    """`session_not_found`, and a dead letter."""
    command = SessionGetStatus(source=gateway.backend.source, subject="nobody")
    failed = await gateway.fail(command)

    assert failed.data.error.code is ErrorCode.SESSION_NOT_FOUND
    assert (await dead_letters.next(encode(command))).code == "session_not_found"


async def test_the_worker_still_works_after_all_of_that(gateway: Gateway, name: str) -> None:
    """A storm of bad input, then an ordinary session."""
    for broken in UNADDRESSABLE.values():
        await gateway.backend.publish_raw(broken, session_id="shop")
    for changes, _ in ADDRESSABLE.values():
        await gateway.backend.publish_raw(body(id=new_id(), **changes), session_id="shop")

    phone = await gateway.sandbox.add_phone()
    await gateway.link(name, phone)

    await gateway.until(name, SessionState.CONNECTED)
