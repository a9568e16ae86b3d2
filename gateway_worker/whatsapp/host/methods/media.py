"""Files on their way to WhatsApp's media servers."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.media import Uploaded
from gateway_worker.host_protocol.methods.media import UploadMedia
from gateway_worker.whatsapp.convert.failures import ONE_MORE, UPLOAD, upload_failure
from gateway_worker.whatsapp.host.methods.run import Run, Tools
from gateway_worker.whatsapp.host.sending import SendFailedError
from gateway_worker.whatsapp.host.uploads import UnusableFileError


def upload(tools: Tools, _request: Request, call: UploadMedia) -> Uploaded:
    """Encrypt and upload a file."""
    started = time.monotonic()
    try:
        found = tools.library.upload(Path(call.path), call.media_type)
    except UnusableFileError as error:
        failure = Failure(kind=FailureKind.INVALID, detail=str(error))
        raise SendFailedError(failure) from None
    except Exception as error:  # noqa: BLE001 - the library's errors differ by their text only
        raise SendFailedError(upload_failure(str(error))) from None
    if not found.DirectPath:  # whoever got it could not fetch the file
        detail = f"WhatsApp did not say where the file is after {UPLOAD}"
        raise SendFailedError(Failure(kind=FailureKind.TIMED_OUT, detail=detail, attempts=ONE_MORE))
    return Uploaded(
        url=found.url,
        direct_path=found.DirectPath,
        media_key=found.MediaKey,
        file_enc_sha256=found.FileEncSHA256,
        file_sha256=found.FileSHA256,
        file_length=found.FileLength,
        seconds=time.monotonic() - started,
    )


RUNS: Final[Mapping[type[Any], Run]] = {UploadMedia: upload}
