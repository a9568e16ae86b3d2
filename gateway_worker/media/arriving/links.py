"""Where backends get a file that is there: a URL for a while, and one of the CDN."""

import unicodedata
from datetime import timedelta
from typing import Final

from gateway_contracts import Media
from gateway_worker.media.arriving.ports import ObjectStore
from gateway_worker.runtime.clock import Clock

_NAME_CHARACTERS: Final = 100
"""Each may take 20 in a URL, of which some take no more than 4,096."""
_ENDING_CHARACTERS: Final = 20
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs"})
"""Unicode's categories of controls, of what changes how others are shown, and of half letters."""
_REPLACED: Final = frozenset('/\\:*?"<>|')
"""What leads elsewhere on a disk, or cannot stand in a name there."""


class Links:
    """Makes links to objects.

    Args:
        objects: Where they are.
        valid_seconds: How long a URL is valid.
        cdn_url: What stands before a key behind the CDN; None without one.
        clock: The time.
    """

    def __init__(
        self, *, objects: ObjectStore, valid_seconds: int, cdn_url: str | None, clock: Clock
    ) -> None:
        self._objects = objects
        self._valid_seconds = valid_seconds
        self._cdn_url = cdn_url
        self._clock = clock

    async def linked(self, media: Media, *, file_name: str | None) -> Media:
        """Return a file that is there with its links, which are new. Raises `DependencyError`."""
        if media.key is None:
            return media
        expires_at = self._clock.now() + timedelta(seconds=self._valid_seconds)
        url = await self._objects.presign_get(
            media.key,
            valid_seconds=self._valid_seconds,
            file_name=None if file_name is None else name_on_disk(file_name),
        )
        cdn_url = self._cdn_url and f"{self._cdn_url}{media.key}"
        return media.model_copy(
            update={"url": url, "url_expires_at": expires_at, "cdn_url": cdn_url}
        )


def name_on_disk(file_name: str) -> str | None:
    """Return what a file is to be saved as; None if nothing is left of its name.

    The name is a stranger's. Nothing in it turns the order of letters around, so that its ending is
    where one reads it, or leads to another directory; of a long one the ending stays.

    Args:
        file_name: What its sender calls it.
    """
    readable = "".join(
        "_" if letter in _REPLACED else letter
        for letter in file_name
        if unicodedata.category(letter) not in _UNSEEN
    ).strip(" .")
    if len(readable) <= _NAME_CHARACTERS:
        return readable or None
    name, dot, ending = readable.rpartition(".")
    if not dot or len(ending) > _ENDING_CHARACTERS:
        return readable[:_NAME_CHARACTERS]
    return f"{name[: _NAME_CHARACTERS - len(ending) - 1]}.{ending}"
