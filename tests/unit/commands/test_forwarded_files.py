"""Which files go along with a message that is forwarded."""

from typing import Any, cast

import pytest

from gateway_contracts import Content, ImageContent, Media, MediaState, TextContent
from gateway_worker.commands.handlers.effect import Context
from gateway_worker.commands.handlers.forwarded_files import attachment_of
from gateway_worker.errors import InvalidCommandError

NOBODY = Context(manager=cast("Any", None), messages=cast("Any", None))
"""None of these asks anybody."""


async def test_what_has_no_file_needs_none() -> None:
    """Neither does a command that forwards nothing."""
    assert await attachment_of(NOBODY, "s", TextContent(text="hello")) is None
    assert await attachment_of(NOBODY, "s", None) is None


@pytest.mark.parametrize(
    "content",
    [
        ImageContent(media=Media(state=MediaState.READY, key="shared/a.png")),
        ImageContent(media=Media(state=MediaState.FAILED), view_once=True),
    ],
    ids=["sent from here", "to be seen once"],
)
async def test_a_file_that_cannot_go_along(content: Content) -> None:
    """The command says so, and nothing is sent without it."""
    with pytest.raises(InvalidCommandError):
        await attachment_of(NOBODY, "s", content)
