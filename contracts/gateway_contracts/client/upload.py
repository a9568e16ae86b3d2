"""Puts a file where the gateway has made room for it."""

import hashlib
import mimetypes
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from gateway_contracts.client.errors import UploadError
from gateway_contracts.commands.upload import MediaUpload

_SUCCESS = range(200, 300)
_ANSWER_BYTES = 65_536
_UNKNOWN = "application/octet-stream"


def media_type_of(path: Path) -> str:
    """Return the media type that a file's name stands for."""
    return mimetypes.guess_type(path.name)[0] or _UNKNOWN


def size_and_digest(path: Path) -> tuple[int, str]:
    """Return how many bytes a file has, and their SHA-256 in hexadecimal; reads all of it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def put_file(place: MediaUpload, path: Path, *, seconds: float) -> None:
    """Put a file there, piece by piece.

    Args:
        place: Where, with what the request must have.
        path: The file.
        seconds: How long the store may be silent.

    Raises:
        UploadError: The store did not take it; the message does not have the URL.
    """
    url = urlsplit(place.url)
    connecting = HTTPSConnection if url.scheme == "https" else HTTPConnection
    if url.hostname is None:
        raise UploadError("the gateway has named no place for the file")
    headers = dict(place.headers)
    if "content-length" not in {name.lower() for name in headers}:
        headers["Content-Length"] = str(path.stat().st_size)
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    try:
        with (
            closing(connecting(url.hostname, url.port, timeout=seconds)) as connection,
            path.open("rb") as file,
        ):
            connection.request(place.method, target, body=file, headers=headers)
            answer = connection.getresponse()
            answer.read(_ANSWER_BYTES)
    except (OSError, HTTPException) as error:
        raise UploadError(f"the file could not be put: {type(error).__name__}") from error
    if answer.status not in _SUCCESS:
        raise UploadError(f"the store has not taken the file: HTTP {answer.status}")
