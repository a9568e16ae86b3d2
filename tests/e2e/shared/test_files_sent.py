"""Files that are not sent: refused, given up, or too late."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway_contracts import (
    CommandFailed,
    MessageSend,
    MessageSendData,
    SessionStop,
)
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.harness import ErrorCode, Gateway
from tests.support.eventually import eventually
from tests.support.web import Answering, answer, file_server, silence


def message(
    gateway: Gateway, name: str, to: str, content: Mapping[str, Any], **more: Any
) -> MessageSend:
    """Return the command that sends a content."""
    data = MessageSendData.model_validate({"to": to, "content": content})
    return MessageSend(source=gateway.backend.source, subject=name, data=data, **more)


def content_of(kind: str, source: Mapping[str, str]) -> dict[str, Any]:
    """Return the content with a file."""
    more = {"file_name": "report.pdf"} if kind == "document" else {}
    return {"kind": kind, "media": source, **more}


class Held:
    """A file that is not served before the test lets it go.

    Attributes:
        asked: Set when somebody waits for it.
        go: Set by the test.
    """

    def __init__(self, data: bytes) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self._answer: Answering = answer(data)

    async def serve(self, writer: asyncio.StreamWriter) -> None:
        """Hold it."""
        self.asked.set()
        await self.go.wait()
        await self._answer(writer)


async def linked(gateway: Gateway, name: str) -> tuple[Phone, Phone]:
    """Link the session; returns two phones that it can write to."""
    shop, ada, ben = [await gateway.sandbox.add_phone() for _ in range(3)]
    await gateway.link(name, shop)
    return ada, ben


async def test_a_deadline_ends_the_wait_for_a_file(gateway: Gateway, name: str) -> None:
    """And what comes after it in its chat goes."""
    ada, _ = await linked(gateway, name)
    async with file_server({"/held": silence}) as server:
        source = {"source": "url", "url": f"http://127.0.0.1:{server.port}/held"}
        file = message(
            gateway,
            name,
            ada.number,
            content_of("document", source),
            expirytime=datetime.now(UTC) + timedelta(seconds=1),
        )
        await gateway.backend.publish(file)
        await gateway.send(name, ada.number, "after")
        outcome = await gateway.backend.outcome(file.id)
    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.EXPIRED
    assert not list(gateway.worker.data_dir.glob(f"sessions/{name}/outgoing/*"))


async def test_a_stop_ends_the_wait_for_a_file(gateway: Gateway, name: str) -> None:
    """It does not wait for it, as it waits for no other send that waits."""
    ada, _ = await linked(gateway, name)
    held = Held(b"document")
    async with file_server({"/held": held.serve}) as server:
        source = {"source": "url", "url": f"http://127.0.0.1:{server.port}/held"}
        file = message(gateway, name, ada.number, content_of("document", source))
        await gateway.backend.publish(file)
        await held.asked.wait()
        await gateway.succeed(SessionStop(source=gateway.backend.source, subject=name))
        held.go.set()
        outcome = await gateway.backend.outcome(file.id)
    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    await eventually(lambda: not list(gateway.worker.data_dir.glob(f"sessions/{name}/outgoing/*")))


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("image", None, ErrorCode.MEDIA_UNAVAILABLE),
        ("image", b"no picture", ErrorCode.MEDIA_REFUSED),
        ("sticker", b"\0" * 9_000_000, ErrorCode.MEDIA_TOO_LARGE),
    ],
)
async def test_a_file_that_cannot_be_sent_is_refused(
    gateway: Gateway, name: str, kind: str, data: bytes | None, code: ErrorCode
) -> None:
    """With a code of its own, before anything is sent."""
    ada, _ = await linked(gateway, name)
    async with file_server({} if data is None else {"/a": answer(data)}) as server:
        source = {"source": "url", "url": f"http://127.0.0.1:{server.port}/a"}
        failed = await gateway.fail(message(gateway, name, ada.number, content_of(kind, source)))
    await gateway.send(name, ada.number, "after")
    assert failed.data.error.code is code
    assert (await ada.next_message(timeout=10)).text == "after"
