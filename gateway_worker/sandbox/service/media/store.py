"""Uploaded files: on disk, found by what they hold, for a while and up to a total size.

A file's place follows from the hash of its bytes, so the same upload twice is one file. The path by
which others find it is signed and says until when, as the real hosts' paths do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import shutil
import tempfile
import time
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode

from gateway_worker.sandbox.service.errors import MediaRefusedError
from gateway_worker.sandbox.service.media.body import Body

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.devices import DeviceRecord

MAX_FILE_BYTES: Final = (2 << 30) + (1 << 16)
"""The largest document, encrypted."""
DEFAULT_TOTAL_BYTES: Final = 4 << 30
DEFAULT_LIFETIME_SECONDS: Final = 14 * 86400.0
REMEMBERED_GONE: Final = 10_000

FORBIDDEN, NOT_FOUND, GONE, TOO_LARGE = 403, 404, 410, 413


@dataclass(slots=True, eq=False)
class StoredMedia:
    """A file that somebody has uploaded.

    Attributes:
        media_type: what it was uploaded as, such as `image`.
        sha256: of its bytes.
        body: its bytes, as they are sent.
        size: how many bytes were uploaded.
        uploader: the device that uploaded it last.
        expires_at: seconds since the epoch.
    """

    media_type: str
    sha256: bytes
    body: Body
    size: int
    uploader: DeviceRecord
    expires_at: float

    @property
    def place(self) -> str:
        """The direct path without its query."""
        return place_of(self.sha256)


def place_of(sha256: bytes) -> str:
    """Return the direct path, without its query, of a file whose bytes have a hash."""
    number = int.from_bytes(sha256[:16], "big")
    return f"/v/t62.7118-24/{number >> 64}_{number & (1 << 64) - 1}_n.enc"


class Upload:
    """Bytes on their way into a store; they are kept once `MediaStore.keep` is called."""

    def __init__(self, path: Path) -> None:
        """Write to a new file."""
        self.path = path
        self.size = 0
        self._file = path.open("wb")
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> bytes:
        """Of what was written so far."""
        return self._hash.digest()

    def write(self, piece: bytes) -> None:
        """Add bytes.

        Raises:
            MediaRefusedError: they are too many.
        """
        self.size += len(piece)
        if self.size > MAX_FILE_BYTES:
            raise MediaRefusedError(TOO_LARGE, "the file is too large")
        self._hash.update(piece)
        self._file.write(piece)

    def close(self) -> None:
        """Write to the end; a no-op when it is done already."""
        self._file.close()

    def discard(self) -> None:
        """Remove what was written; a no-op for a file that is kept."""
        self.close()
        self.path.unlink(missing_ok=True)


class MediaStore:
    """The files of one service, in a directory that goes with it."""

    def __init__(self, *, total_bytes: int, lifetime_seconds: float) -> None:
        """Start empty.

        Args:
            total_bytes: beyond that, the oldest files go.
            lifetime_seconds: how long a file can be had after its last upload.
        """
        self._total_bytes = total_bytes
        self._lifetime_seconds = lifetime_seconds
        self._secret = secrets.token_bytes(32)
        self._files: OrderedDict[str, StoredMedia] = OrderedDict()
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._held_bytes = 0
        self._uploads = 0
        self._directory: Path | None = None

    def __len__(self) -> int:
        return len(self._files)

    @property
    def held_bytes(self) -> int:
        """What all files take."""
        return self._held_bytes

    def begin(self) -> Upload:
        """Start an upload."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="wa-sandbox-media-"))
            weakref.finalize(self, shutil.rmtree, str(self._directory), ignore_errors=True)
        self._uploads += 1
        return Upload(self._directory / f"upload-{self._uploads}")

    def keep(self, upload: Upload, *, media_type: str, uploader: DeviceRecord) -> StoredMedia:
        """Take an upload in; another of the same bytes is replaced."""
        upload.close()
        stored = StoredMedia(
            media_type=media_type,
            sha256=upload.sha256,
            body=Body(path=upload.path, size=upload.size),
            size=upload.size,
            uploader=uploader,
            expires_at=time.time() + self._lifetime_seconds,
        )
        self._remove(stored.place)
        self._files[stored.place] = stored
        self._gone.pop(stored.place, None)
        self._held_bytes += upload.size
        self._tidy()
        return stored

    def direct_path(self, stored: StoredMedia) -> str:
        """Return the signed path by which a file can be downloaded."""
        expiry = f"{int(stored.expires_at):X}"
        signature = self._signature(stored.place, expiry)
        query = urlencode({"ccb": "11-4", "oh": signature, "oe": expiry, "_nc_sid": "5e03e0"})
        return f"{stored.place}?{query}"

    def find(self, direct_path: str) -> StoredMedia:
        """Return the file at a path, whatever else its query holds.

        Raises:
            MediaRefusedError: 403 its signature is wrong, 404 there is no such file, 410 there is
                no more.
        """
        place, _, query = direct_path.partition("?")
        if place not in self._files and place not in self._gone:
            raise MediaRefusedError(NOT_FOUND, "no such file")
        given = parse_qs(query)
        signature, expiry = given.get("oh", [""])[-1], given.get("oe", [""])[-1]
        if not hmac.compare_digest(signature.encode(), self._signature(place, expiry).encode()):
            raise MediaRefusedError(FORBIDDEN, "the path's signature is wrong")
        stored = self._files.get(place)
        if stored is None or stored.expires_at <= time.time():
            raise MediaRefusedError(GONE, "the file is gone")
        return stored

    def drop(self, sha256: bytes) -> bool:
        """Remove the file whose bytes have a hash; whether there was one."""
        return self._remove(place_of(sha256))

    def _tidy(self) -> None:
        now = time.time()
        while self._files:
            place, oldest = next(iter(self._files.items()))
            if self._held_bytes <= self._total_bytes and oldest.expires_at > now:
                return
            self._remove(place)

    def _remove(self, place: str) -> bool:
        stored = self._files.pop(place, None)
        if stored is None:
            return False
        self._held_bytes -= stored.size
        stored.body.path.unlink(missing_ok=True)
        self._gone[place] = None
        if len(self._gone) > REMEMBERED_GONE:
            self._gone.popitem(last=False)
        return True

    def _signature(self, place: str, expiry: str) -> str:
        digest = hmac.digest(self._secret, f"{place} {expiry}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest[:24]).decode()
