"""Files on their way through the library to WhatsApp's media servers, without a copy of ours."""

import ctypes
import mmap
import os
import stat
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

from neonize.client import NewClient
from neonize.exc import UploadError
from neonize.proto.Neonize_pb2 import UploadReturnFunction

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.host.go_runtime import GoRuntime

_MEDIA_TYPES: Final = {
    MediaType.IMAGE: 0,
    MediaType.VIDEO: 1,
    MediaType.AUDIO: 2,
    MediaType.DOCUMENT: 3,
}
"""The library's numbers; it crashes over one that it does not know."""
_LARGEST_UPLOAD: Final = (1 << 31) - 1
"""It takes the size as a C int."""


class UnusableFileError(Exception):
    """A file that cannot be uploaded; the text says why."""


class Uploads:
    """Uploads files.

    Args:
        native: The native library.
        client: Whose files they are.
        large_bytes: Files of this size get room while they are uploaded; 0: none does.
    """

    def __init__(self, *, native: Any, client: NewClient, large_bytes: int) -> None:
        self._native = native
        self._client = client
        self._large_bytes = large_bytes
        self._runtime: GoRuntime | None = None

    def upload(self, path: Path, media_type: MediaType) -> Any:
        """Encrypt a file, upload it, and return the server's answer.

        The library reads all of it into memory of its own.

        Raises:
            UnusableFileError: It is not there, is no file, or is empty or too large.
            UploadError: WhatsApp did not take it.
        """
        with _mapped(path) as content, self._room_for(len(content)):
            data = (ctypes.c_char * len(content)).from_buffer(content)
            try:
                said = self._upload()(
                    self._client.uuid,
                    ctypes.addressof(data),
                    len(content),
                    _MEDIA_TYPES[media_type],
                )
            finally:
                del data  # while it is there, the mapping cannot be closed
        answer = UploadReturnFunction.FromString(said)
        if answer.Error:
            raise UploadError(answer.Error)
        return answer.UploadResponse

    def _room_for(self, size_bytes: int) -> AbstractContextManager[None]:
        """Return what gives the library room for a large file, for messages to go on beside it."""
        if not 0 < self._large_bytes <= size_bytes:
            return nullcontext()
        self._runtime = self._runtime or self._native.runtime()
        return nullcontext() if self._runtime is None else self._runtime.room(size_bytes)

    def _upload(self) -> Any:
        """Return the entry point for uploads as one that takes an address.

        neonize declares it with bytes, which would be a copy of the file.
        """
        declared = self._native.resolve("Upload")
        prototype = ctypes.CFUNCTYPE(
            declared.restype, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int
        )
        upload = prototype(ctypes.cast(declared, ctypes.c_void_p).value or 0)
        upload.errcheck = declared.errcheck
        return upload


def _mapped(path: Path) -> mmap.mmap:
    """Return a file's content without reading it.

    Raises:
        UnusableFileError: It is not there, is no file, or is empty or too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UnusableFileError(f"the file cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnusableFileError("there is something else in the file's place")
        if not 0 < status.st_size <= _LARGEST_UPLOAD:
            raise UnusableFileError(f"no file of {status.st_size} bytes can be uploaded")
        # Writable, though nobody writes, because Python tells the address of no other mapping.
        return mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_COPY)
    finally:
        os.close(descriptor)
