"""Documents: anything at all, with a small picture if it is an image."""

from gateway_worker.media.inspection.helper.images import flat, opened, thumbnail
from gateway_worker.media.inspection.helper.refusal import RefusalError
from gateway_worker.media.inspection.helper.types import IMAGES, document_type
from gateway_worker.media.inspection.protocol import Found, Question


def inspect_document(question: Question) -> Found:
    """Look at a document; it is never changed."""
    found = document_type(question.path, question.file_name)
    small = _picture(question) if found in IMAGES else None
    return Found(mime_type=found, thumbnail=small)


def _picture(question: Question) -> bytes | None:
    """Return a small picture, if there is one: a damaged image is still a document."""
    try:
        with opened(question.path, pixels=question.limits.pixels) as image:
            return thumbnail(flat(image))
    except (RefusalError, MemoryError):
        return None
