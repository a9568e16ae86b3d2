"""The preview of a text's link on its way: taken from the page, or the sender's own card.

A page's preview is an extra, and a text goes without it when it cannot be had. The picture of a
card was asked for: without it the command fails.
"""

from typing import Any

from gateway_contracts import AutomaticPreview, CardPreview, ContentToSend, TextToSend, new_id
from gateway_worker.commands.preparation import Preparation
from gateway_worker.commands.shared_by_rows import Share
from gateway_worker.host_protocol.layout import OUTGOING_NAME
from gateway_worker.media.outgoing import Outgoing, Wanted
from gateway_worker.media.previews import Preview, Previews, first_link
from gateway_worker.sessions.session.session import Session


class PreviewMaking(Preparation):
    """What becomes of the preview of a text, over all attempts of its command.

    Args:
        outgoing: Brings a card's picture here.
        previews: Looks at pages.
        text: What it belongs to.
        wanted: Whose preview.
        share: Of a row of a bulk, the previews of that bulk.

    Attributes:
        preview: What is to be shown; None if nothing, or if it is not ready.
    """

    def __init__(
        self,
        *,
        outgoing: Outgoing,
        previews: Previews,
        text: str,
        wanted: AutomaticPreview | CardPreview,
        share: Share[Preview] | None = None,
    ) -> None:
        self._outgoing = outgoing
        self._previews = previews
        self._text = text
        self._wanted = wanted
        self._share = share
        self._is_ready = False
        self.preview: Preview | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it is known what is shown."""
        return self._is_ready

    async def run(self, session: Session) -> None:
        """Make it.

        Raises:
            MediaUnavailableError: A card's picture is not there.
            MediaTooLargeError: It is larger than an image may be.
            MediaRefusedError: It is no image, or the worker does not go there.
            DependencyError: What it takes is unavailable now.
        """
        is_card = isinstance(self._wanted, CardPreview)
        about = self._wanted.model_dump_json() if is_card else first_link(self._text)
        share = self._share
        self.preview = None if share is None else share.get(session.session_id, about)
        if self.preview is None:
            self.preview = await self._made(session)
            if share is not None and self.preview is not None:
                share.put(self.preview, session.session_id, about)
        self._is_ready = True

    async def _made(self, session: Session) -> Preview | None:
        if isinstance(self._wanted, CardPreview):
            thumbnail = await self._thumbnail(session, self._wanted)
            return _of_card(self._wanted, thumbnail)
        directory = session.directory / OUTGOING_NAME / new_id()
        return await self._previews.of_text(
            self._text, session_id=session.session_id, directory=directory
        )

    async def close(self) -> None:
        """Nothing is on disk after `run`."""

    async def _thumbnail(self, session: Session, card: CardPreview) -> bytes | None:
        if card.thumbnail is None:
            return None
        wanted = Wanted(
            session_id=session.session_id,
            directory=session.directory,
            kind="image",
            source=card.thumbnail,
        )
        async with self._outgoing.turn(session.session_id):
            prepared = await self._outgoing.prepare(wanted)
            await self._outgoing.discard(session.directory, prepared)
        return prepared.file.thumbnail


def making_of(
    outgoing: Outgoing,
    previews: Previews,
    content: ContentToSend,
    share: Share[Preview] | None = None,
) -> PreviewMaking | None:
    """Return what becomes of the preview of a content; None if it has none.

    Args:
        outgoing: Brings a card's picture here.
        previews: Looks at pages.
        content: What it belongs to.
        share: Of a row of a bulk, the previews of that bulk.
    """
    if not isinstance(content, TextToSend) or content.link_preview is None:
        return None
    return PreviewMaking(
        outgoing=outgoing,
        previews=previews,
        text=content.text,
        wanted=content.link_preview,
        share=share,
    )


def shown_of(content: ContentToSend, making: PreviewMaking | None) -> dict[str, Any]:
    """Return what a content shows of a page, as fields; none if it has no preview.

    Args:
        content: What is sent.
        making: Its preview; None if it was sent by a run that has left no more than the message.
    """
    if not isinstance(content, TextToSend) or content.link_preview is None:
        return {}
    preview = None if making is None else making.preview
    if preview is None and isinstance(content.link_preview, CardPreview):
        preview = _of_card(content.link_preview, None)
    if preview is None:
        return {"link_preview": None}
    fields = {"url": preview.url, "title": preview.title, "description": preview.description}
    return {"link_preview": {name: text for name, text in fields.items() if text is not None}}


def _of_card(card: CardPreview, thumbnail: bytes | None) -> Preview:
    return Preview(
        url=card.url, title=card.title, description=card.description, thumbnail=thumbnail
    )
