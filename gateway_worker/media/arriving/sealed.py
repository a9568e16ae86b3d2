"""The references of files as they are stored: what is in them lets anybody read the file.

They are encrypted under the key of the copies of device stores, if there is one: whoever takes a
session over has that as well.
"""

import msgspec

from gateway_worker.errors import MediaUnavailableError, PermanentError
from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.media.arriving.ports import Seal

_PLAIN = b"{"
"""What an unsealed one begins with, and no envelope does."""


class SealedReferences:
    """Seals and opens references.

    Args:
        seal: Encrypts; None if there is no key.
    """

    def __init__(self, *, seal: Seal | None) -> None:
        self._seal = seal

    def seal(self, reference: MediaReference, *, session_id: str, media_id: str) -> bytes:
        """Return a reference as it is stored, without its thumbnail."""
        plain = msgspec.json.encode(msgspec.structs.replace(reference, thumbnail=None))
        if self._seal is None:
            return plain
        return self._seal.seal(plain, context=_context(session_id, media_id))

    def open(self, stored: bytes, *, session_id: str, media_id: str) -> MediaReference:
        """Return what is stored.

        Raises:
            MediaUnavailableError: It cannot be read: its key is gone.
        """
        try:
            if not stored.startswith(_PLAIN):
                if self._seal is None:
                    raise MediaUnavailableError(
                        "the key under which the file's own is stored is not given"
                    )
                stored = self._seal.open(stored, context=_context(session_id, media_id))
            return msgspec.json.decode(stored, type=MediaReference)
        except (msgspec.MsgspecError, PermanentError) as error:
            raise MediaUnavailableError(
                "what is stored of the file's place cannot be read"
            ) from error


def _context(session_id: str, media_id: str) -> str:
    return f"media/{session_id}/{media_id}"
