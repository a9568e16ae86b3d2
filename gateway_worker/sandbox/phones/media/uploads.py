"""From a file to what a message says about it: sealed and uploaded, piece by piece."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.phones.errors import MediaUnavailableError
from gateway_worker.sandbox.phones.media.cipher import KEY_BYTES, FileHashes, Sealer
from gateway_worker.sandbox.phones.media.kinds import FORMS
from gateway_worker.sandbox.service.errors import MediaRefusedError
from gateway_worker.sandbox.service.fault_rules import Cut, Drop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.phones.media.draft import MediaDraft
    from gateway_worker.sandbox.phones.media.kinds import MediaForm
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.media.media import Media, MediaFault
    from gateway_worker.sandbox.service.media.store import Upload

AT_ONCE_BYTES: Final = 1 << 18
"""Up to this size, a thread costs more than the work."""
_PIECE_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """An uploaded file, as a message announces it."""

    direct_path: str
    media_key: bytes = field(repr=False)
    hashes: FileHashes


async def upload(
    draft: MediaDraft, *, media: Media, device: DeviceRecord, form: MediaForm | None = None
) -> Uploaded:
    """Seal a file and upload it as a device.

    Args:
        draft: the file.
        media: where to.
        device: whose it is.
        form: as what; by default as what the draft is sent as.

    Raises:
        MediaUnavailableError: a rule refuses it.
        OSError: the file at the draft's path cannot be read.
    """
    form = form or FORMS[draft.kind]
    key = secrets.token_bytes(KEY_BYTES)
    sealer = Sealer(media_key=key, key_info=form.key_info)
    sealed = media.store.begin()
    try:
        if draft.data is not None and len(draft.data) <= AT_ONCE_BYTES:
            _seal(draft, sealer, sealed)
        else:
            await asyncio.to_thread(_seal, draft, sealer, sealed)
        fault = media.fault_of_upload(
            device, media_type=form.uploaded_as, sha256=sealer.hashes.enc_sha256
        )
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        _refuse(fault)
        stored = media.keep(sealed, media_type=form.uploaded_as, uploader=device, fault=fault)
    except MediaRefusedError as error:
        sealed.discard()
        raise MediaUnavailableError(f"the upload was refused with {error.status}") from error
    except BaseException:
        sealed.discard()
        raise
    return Uploaded(
        direct_path=media.store.direct_path(stored), media_key=key, hashes=sealer.hashes
    )


def _refuse(fault: MediaFault) -> None:
    if isinstance(fault.effect, Drop | Cut):
        raise MediaUnavailableError("the upload was cut")
    fault.refuse()


def _seal(draft: MediaDraft, sealer: Sealer, sealed: Upload) -> None:
    for piece in sealer.pieces(_plain(draft)):
        sealed.write(piece)
    sealed.close()


def _plain(draft: MediaDraft) -> Iterator[bytes]:
    if draft.path is None:
        data = memoryview(draft.data or b"")
        yield from (bytes(data[at : at + _PIECE_BYTES]) for at in range(0, len(data), _PIECE_BYTES))
        return
    with draft.path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
