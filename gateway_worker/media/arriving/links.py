"""Where backends get a file that is there: a URL for a while, and one of the CDN."""

from datetime import timedelta

from gateway_contracts import Media
from gateway_worker.media.arriving.ports import ObjectStore
from gateway_worker.runtime.clock import Clock


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
            media.key, valid_seconds=self._valid_seconds, file_name=file_name
        )
        cdn_url = self._cdn_url and f"{self._cdn_url}{media.key}"
        return media.model_copy(
            update={"url": url, "url_expires_at": expires_at, "cdn_url": cdn_url}
        )
