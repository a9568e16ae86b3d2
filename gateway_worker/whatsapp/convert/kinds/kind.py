"""What makes a kind, and what the kinds share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway_worker.host_protocol.media import Attachment, MediaReference
from gateway_worker.whatsapp.convert.people import People

Content = Mapping[str, Any]
"""A content as the contract writes it, without what is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What has come.

    Attributes:
        content: As the contract writes it.
        is_partial: Something of it was cut or left out.
        about: The library's key of the message that it is about; it becomes `target` of the
            content. None for what stands for itself.
        media: Where its file is, if it has one that can be fetched.
        is_sealed: What it says is still to be opened, with the secret of another message.
    """

    content: dict[str, Any]
    is_partial: bool = False
    about: Any = None
    media: MediaReference | None = None
    is_sealed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Composing:
    """What a message is made with.

    Attributes:
        library: The module with the library's protobufs of messages; to import it here would load
            the native library into whoever reads a kind.
        context: The library's `ContextInfo`: mentions and the quoted message; None for neither.
        about: The library's key of the message that `target` of the content names; None if there is
            no such field.
        about_kind: The contract's name of that message's kind, if it is known.
        attachment: Of a content with a file, that file, uploaded.
        thumbnail: Of a text with a preview of a link, the preview's picture (JPEG).
    """

    library: Any
    context: Any = None
    about: Any = None
    about_kind: str | None = None
    attachment: Attachment | None = None
    thumbnail: bytes | None = None


Compose = Callable[[Content, Composing], Any]
"""Returns the library's `Message`, or raises `RecipientError` for what nothing can be made of."""
Convert = Callable[[Any, People], Converted]
"""Tells the value of a field of `Message`. What a stranger wrote never makes it raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of content.

    Attributes:
        name: The contract's.
        compose: Makes what is sent; None for what only arrives.
        fields: The fields of the library's `Message` in which it arrives; of one with several uses
            `field.USE`: of `protocolMessage` by the name of its `type`, of `audioMessage` `PTT`.
        quote: Makes what a reply to it shows, of a content that has arrived; None if that is
            nothing.
        event: The event's `type` of what is no message to be shown but changes something; None for
            `message.received` and `message.sent`.
    """

    name: str
    compose: Compose | None
    fields: Mapping[str, Convert]
    quote: Compose | None = None
    event: str | None = None
