"""A client that takes nothing for a while: nothing grows without end, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.sandbox.wire_support import ANN
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from tests.integration.sandbox.wire_support import LibraryClient, World

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

MESSAGES = 400
TEXT = "x" * 40_000
HELD_AT_MOST = 2 << 20


async def test_what_a_client_does_not_take_waits_in_its_mailbox(
    world: World, client: LibraryClient
) -> None:
    """Of 16 MB the connection holds a part; when it is read again, all comes in order."""
    with client.halted():
        sent = [await world.bob.send_text(ANN, f"{number} {TEXT}") for number in range(MESSAGES)]
        await eventually(lambda: world.server.unsent_bytes > 0)
        assert world.server.unsent_bytes < HELD_AT_MOST
        assert world.link().pending == MESSAGES

    got = [(await client.event("message"))["id"] for _ in sent]
    assert got == sent
    await eventually(lambda: world.link().pending == 0)
    assert world.server.unsent_bytes == 0
