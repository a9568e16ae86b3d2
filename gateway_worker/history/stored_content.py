"""What a stored message carries, as backends are told of it."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from pydantic import TypeAdapter, ValidationError

from gateway_contracts import Content, Media, UnsupportedContent

log = structlog.get_logger(__name__)

_CONTENTS: Final[TypeAdapter[Content]] = TypeAdapter(Content)


def media_id_of(stored: Mapping[str, Any]) -> str | None:
    """Return the id of the file that a stored content has."""
    media = stored.get("media")
    found: str | None = media.get("media_id") if isinstance(media, dict) else None
    return found


def content_of(stored: Mapping[str, Any], media: Mapping[str, Media]) -> Content:
    """Read a stored content.

    Args:
        stored: As the database has it.
        media: How files stand now, by their ids; of others stays what was stored.

    Returns:
        It, or `unsupported` with the name of its kind if it is from a release whose kinds were
        different.
    """
    try:
        content = _CONTENTS.validate_python(stored)
    except ValidationError:
        kind = stored.get("kind")
        log.warning("history.content_not_read", kind=kind)
        return UnsupportedContent(message_type=kind if isinstance(kind, str) else "unknown")
    media_id = media_id_of(stored)
    if media_id is None or media_id not in media:
        return content
    return content.model_copy(update={"media": media[media_id]})
