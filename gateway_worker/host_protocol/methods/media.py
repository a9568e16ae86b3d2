"""Files on their way to WhatsApp's media servers."""

from gateway_worker.host_protocol.media import MediaType, Uploaded
from gateway_worker.host_protocol.methods.method import Effect, HostLane, Method, WhenLate


class UploadMedia(Method[Uploaded], frozen=True, kw_only=True, tag="media.upload"):
    """Encrypt a file and put it on WhatsApp's media servers, which keep it for some weeks.

    Attributes:
        path: The file, in the session's directory. It is read while the call runs, also after that
            was given up, and must not become shorter meanwhile.
        media_type: What kind of file it is.
    """

    result = Uploaded
    effect = Effect.IDEMPOTENT
    lane = HostLane.TRANSFER
    when_late = WhenLate.LEAVE
    timeout_seconds = 600.0

    path: str
    media_type: MediaType


MediaCall = UploadMedia
"""Every method of this family."""

MediaAnswer = Uploaded
"""What they are answered with."""
