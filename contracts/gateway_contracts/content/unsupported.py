"""What arrives and this version has no kind for."""

from typing import Literal

from pydantic import Field

from gateway_contracts.model import WireModel


class UnsupportedContent(WireModel):
    """A message of a kind that this version does not describe. It is announced, never dropped."""

    kind: Literal["unsupported"] = "unsupported"
    message_type: str = Field(
        description="The library's name of the kind.", examples=["paymentInviteMessage"]
    )
