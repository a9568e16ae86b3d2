"""Documents: files of any type."""

from typing import Annotated, Literal

from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import Media
from gateway_contracts.model import Jid, WireModel


class DocumentContent(WireModel):
    """A document as it arrived."""

    kind: Literal["document"] = "document"
    media: Media
    file_name: Annotated[str, PERSONAL] | None = None
    caption: Annotated[str, PERSONAL] | None = None
    mentions: tuple[Jid, ...] = ()
