"""Which way of looking belongs to which kind."""

from collections.abc import Callable
from typing import Final

from gateway_worker.media.inspection.helper.documents import inspect_document
from gateway_worker.media.inspection.helper.images import inspect_image, inspect_picture
from gateway_worker.media.inspection.helper.pages import inspect_page
from gateway_worker.media.inspection.helper.sounds import inspect_audio, inspect_voice
from gateway_worker.media.inspection.helper.stickers import inspect_sticker
from gateway_worker.media.inspection.helper.videos import inspect_gif, inspect_video
from gateway_worker.media.inspection.protocol import Found, Page, Question

_KINDS: Final[dict[str, Callable[[Question], Found | Page]]] = {
    "image": inspect_image,
    "picture": inspect_picture,
    "video": inspect_video,
    "gif": inspect_gif,
    "audio": inspect_audio,
    "voice": inspect_voice,
    "document": inspect_document,
    "sticker": inspect_sticker,
    "page": inspect_page,
}


def inspect(question: Question) -> Found | Page:
    """Look at a file as what its kind has to be.

    Raises:
        RefusalError: It is not that.
        KeyError: There is no such kind.
    """
    return _KINDS[question.kind](question)
