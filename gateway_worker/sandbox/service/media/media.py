"""Uploads and downloads with the faults that rules put into them, whoever asks and by which way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.errors import MediaRefusedError
from gateway_worker.sandbox.service.fault_rules import (
    Blank,
    Corrupt,
    Cut,
    Delay,
    Drop,
    Error,
    Expire,
    Point,
    Slow,
    Truncate,
)
from gateway_worker.sandbox.service.media.store import GONE, MediaStore, StoredMedia, place_of
from gateway_worker.sandbox.service.media.tokens import UploadTokens
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.service.fault_rules import Value
    from gateway_worker.sandbox.service.media.body import Body
    from gateway_worker.sandbox.service.media.store import Upload

_ONE_OF: Final = (Drop, Error, Cut, Truncate, Corrupt, Expire, Blank)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFault:
    """What goes wrong with one upload or download.

    Attributes:
        effect: what becomes of it; None is nothing wrong.
        delay_seconds: how late it begins.
        bytes_per_second: how fast its bytes move; 0 is as fast as they can.
    """

    effect: Value | None = None
    delay_seconds: float = 0.0
    bytes_per_second: int = 0

    def refuse(self) -> None:
        """Refuse what a rule refuses.

        Raises:
            MediaRefusedError: with the rule's status.
        """
        if isinstance(self.effect, Error):
            raise MediaRefusedError(
                self.effect.code, "a rule", retry_after_seconds=self.effect.backoff_seconds
            )


class Media:
    """The files of the service.

    Attributes:
        store: what is kept.
        tokens: who may upload.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        faults: FaultBook,
        total_bytes: int,
        lifetime_seconds: float,
    ) -> None:
        """Start empty; see `MediaStore` for the bounds."""
        self._faults = faults
        self.store = MediaStore(total_bytes=total_bytes, lifetime_seconds=lifetime_seconds)
        self.tokens = UploadTokens(accounts=accounts)

    def fault_of_upload(
        self, uploader: DeviceRecord, *, media_type: str, sha256: bytes
    ) -> MediaFault:
        """Ask what goes wrong with an upload; one use of each rule is consumed."""
        return self._fault(Point.MEDIA_PUT, uploader, media_type, place_of(sha256))

    def fault_of_download(self, stored: StoredMedia) -> MediaFault:
        """Ask what goes wrong with a download; one use of each rule is consumed."""
        return self._fault(Point.MEDIA_GET, stored.uploader, stored.media_type, stored.place)

    def keep(
        self, upload: Upload, *, media_type: str, uploader: DeviceRecord, fault: MediaFault
    ) -> StoredMedia:
        """Take an upload in, with what its fault does to it."""
        stored = self.store.keep(upload, media_type=media_type, uploader=uploader)
        stored.body = _spoiled(stored.body, fault.effect)
        if isinstance(fault.effect, Expire):
            self.store.drop(stored.sha256)
        return stored

    def body(self, stored: StoredMedia, fault: MediaFault) -> Body:
        """Return what somebody gets who downloads a file.

        Raises:
            MediaRefusedError: it expires just now.
        """
        if isinstance(fault.effect, Expire):
            self.store.drop(stored.sha256)
            raise MediaRefusedError(GONE, "the file is gone")
        return _spoiled(stored.body, fault.effect)

    def _fault(
        self, point: Point, uploader: DeviceRecord, media_type: str, place: str
    ) -> MediaFault:
        file = Node("media", {"type": media_type, "place": place, "from": uploader.lid})
        late = self._faults.consume(point, uploader, Delay, file)
        slow = self._faults.consume(point, uploader, Slow, file)
        rule = self._faults.fault(point, uploader, _ONE_OF, file)
        return MediaFault(
            effect=None if rule is None else rule.effect,
            delay_seconds=0.0 if late is None else late.seconds,
            bytes_per_second=0 if slow is None else slow.bytes_per_second,
        )


def _spoiled(body: Body, effect: Value | None) -> Body:
    if isinstance(effect, Truncate):
        return body.shortened(effect.keep_bytes)
    return body.damaged() if isinstance(effect, Corrupt) else body
