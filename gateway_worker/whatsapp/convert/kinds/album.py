"""The frame of several pictures and videos that are shown as one."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People

_MOST: Final = 1_000


def _compose(content: Content, composing: Composing) -> Any:
    album = composing.library.AlbumMessage(
        expectedImageCount=content.get("images", 0),
        expectedVideoCount=content.get("videos", 0),
        contextInfo=composing.context,
    )
    return composing.library.Message(albumMessage=album)


def _convert(value: Any, _people: People) -> Converted:
    images, videos = value.expectedImageCount, value.expectedVideoCount
    content = {"kind": "album", "images": min(images, _MOST), "videos": min(videos, _MOST)}
    return Converted(content=content, is_partial=max(images, videos) > _MOST)


KIND: Final = Kind(name="album", compose=_compose, fields={"albumMessage": _convert})
